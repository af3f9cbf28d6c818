import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import { budget, ceiling, LEASE_MS, LimitStage, unique } from '../../test/limit-stage.ts';
import { Leases } from './leases.ts';

let server: RedisProcess;
let at: LimitStage;
let leases: Leases;
const errors: unknown[] = [];

beforeAll(async () => {
  server = await RedisProcess.start();
});
beforeEach(() => {
  at = new LimitStage(server);
  leases = new Leases(server.client, at.shards, { error: (fields: unknown) => void errors.push(fields) });
});
afterAll(() => server.stop());

test('what runs is held for as long as it is renewed, and no longer than a lease after its gateway died', async () => {
  const limit = ceiling({ concurrency: 1 });
  leases.add(await at.admitted([limit]), null);
  for (let i = 0; i < 3; i++) {
    at.ms += LEASE_MS - 1;
    await leases.renew();
    expect((await at.ask([limit])).held).toBeNull();
  }
  at.ms += LEASE_MS; // nobody renews it any more
  expect((await at.ask([limit])).held).not.toBeNull();
});

test('what was settled is not renewed', async () => {
  const limit = ceiling({ concurrency: 1 });
  const held = await at.admitted([limit]);
  leases.add(held, null);
  leases.remove(held.charge.operation);
  await at.settle(held, 0);
  await leases.renew();
  expect(await at.flights(limit)).toBeNull();
  expect(errors).toEqual([]);
});

test('what is settled while a renewal is under way is not brought back by it, though Redis has to be taught the script first', async () => {
  const limit = ceiling({ concurrency: 1 });
  const held = await at.admitted([limit]);
  leases.add(held, null);
  await server.client.script('FLUSH');
  await at.settle(await at.admitted([ceiling({ concurrency: 1 })]), 0); // how to settle is known again
  const renewal = leases.renew();
  leases.remove(held.charge.operation);
  await at.settle(held, 0);
  await renewal;
  expect(await at.flights(limit)).toBeNull();
});

test('a Redis that has lost the leases gets them again, with calls under way and money', async () => {
  const tenant = unique('t');
  const [limit, money] = [ceiling({ concurrency: 5 }, { tenant }), budget(100n, { tenant })];
  await at.seed(money, 0n);
  leases.add(await at.admitted([limit, money], { nanoUsd: 30n }), null);
  leases.add(await at.admitted([limit, money], { nanoUsd: 40n }), null);
  await server.client.flushall();
  await leases.renew();
  expect([await at.flights(limit), await at.money(money)]).toEqual(['2', [null, '70']]);
});

test('a stream that outgrows its reservation is charged while it runs, each token once', async () => {
  const limit = ceiling({ tokens_per_minute: 1000 });
  const held = await at.admitted([limit], { tokens: 100 });
  let tokens = 80;
  leases.add(held, { tokensSoFar: () => tokens });
  const used = async (): Promise<number> => {
    const { verdict } = await at.ask([limit], { tokens: 0 });
    return verdict.kind === 'unseeded' ? -1 : (verdict.ceilings[0]?.used.tokens_per_minute ?? -1);
  };
  for (const [now, charged] of [[80, 100], [150, 150], [150, 150], [151, 151]] as const) {
    tokens = now;
    await leases.topUp();
    expect(await used()).toBe(charged);
  }
  leases.remove(held.charge.operation);
  await at.settle(held, 140);
  expect(await used()).toBe(140);
});

test('a Redis that is away is nobody’s problem', async () => {
  const own = await RedisProcess.start();
  const lonely = new Leases(own.client, at.shards, { error: (fields: unknown) => void errors.push(fields) });
  lonely.add(await at.admitted([ceiling({ concurrency: 1, tokens_per_minute: 9 })]), { tokensSoFar: () => 100 });
  lonely.start();
  await own.kill();
  await Promise.all([lonely.renew(), lonely.topUp()]);
  lonely.close();
  await own.stop();
  expect(errors).toEqual([]);
});
