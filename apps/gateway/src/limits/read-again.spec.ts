import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import { ReservingGateway } from '../../test/reserver-stage.ts';

let server: RedisProcess;
beforeAll(async () => {
  server = await RedisProcess.start();
}, 30_000);
afterAll(() => server.stop());

const one = [{ name: 't', ceilings: [{ scope: 'key' as const, model: null, counter: 'deja:limits:{t}:key:k', limits: { concurrency: 1 }, degraded: 'open' as const }], budgets: [] }];

test('who waited for a place sees what the cache was given together with it: the same question is not asked twice', async () => {
  const gateway = new ReservingGateway(server.client);
  const first = await gateway.reserve(one);
  const waiting = gateway.reserve(one, {}, { exactKeys: ['answer'], presenceKey: 'present' });
  await new Promise((resolve) => setImmediate(resolve)); // it is on its way, and will be refused: what comes now comes after it
  await Promise.all([server.client.set('answer', 'kept'), gateway.settle(first)]);
  const second = await waiting;
  expect(second.exact).toEqual([Buffer.from('kept')]);
  expect(second.semanticPresent).toBe(true);
  await gateway.settle(second);
  gateway.close();
});
