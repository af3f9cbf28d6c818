import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FakeQuota, RedisProcess } from '@deja/testing';
import { CredentialQuotas, type QuotaCharge, type QuotaEnd, type QuotaVerdict } from './credential-quotas.ts';
import { candidate, chargeOf, Clock, end, strictLogger, uniqueName } from '../../test/quota-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const gateway = (clock: Clock): CredentialQuotas => new CredentialQuotas(server.client, uniqueName('gateway-'), strictLogger, clock.now);
const admitted = (verdict: QuotaVerdict): QuotaCharge => {
  expect(verdict.kind).toBe('admitted');
  return chargeOf(verdict);
};
const told = (limit: number, remaining: number, reset: string, kind = 'requests'): QuotaEnd['headers'] => ({
  [`x-ratelimit-limit-${kind}`]: String(limit), [`x-ratelimit-remaining-${kind}`]: String(remaining), [`x-ratelimit-reset-${kind}`]: reset,
});

describe('quotas that providers tell', () => {
  test('a credential without limits costs nothing until something is heard of it', async () => {
    const quotas = gateway(new Clock());
    const free = candidate();
    expect(quotas.ask([free, candidate({ concurrency: 1 })], 1).call).toBeNull();
    const charge = chargeOf(await quotas.take(free, 1));
    expect(quotas.endCalls(charge, end({ tokens: 7 }))).toEqual([]);
  });

  test('what is left is what the provider said less what was charged since, for every gateway', async () => {
    const clock = new Clock();
    const [one, two] = [gateway(clock), gateway(clock)];
    const limited = candidate();
    await one.end(chargeOf(await one.take(limited, 1)), end({ headers: told(60, 5, '30s') }));
    await two.listen();
    const verdicts = [];
    for (let i = 0; i < 7; i += 1) verdicts.push(await [one, two][i % 2]!.take(limited, 1));
    expect(verdicts.map(({ kind }) => kind)).toEqual([...Array<string>(5).fill('admitted'), 'refused', 'refused']);
    expect(verdicts[6]).toEqual({ kind: 'refused', waitMs: 30_000 });
    // Another client shares the account: the provider knows better.
    await two.end(chargeOf(verdicts[0]!), end({ headers: told(60, 4, '30s') }));
    expect((await one.take(limited, 1)).kind).toBe('refused');
    clock.ms += 30_000;
    admitted(await one.take(limited, 1));
  });

  test('a bucket is known by two replies, and then filled up little by little', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    const provider = new FakeQuota({ [limited.credential!.id]: { requests: 60, windowMs: 60_000, style: 'bucket', headers: true } }, clock.now);
    const waitsMs = [];
    for (let i = 0; i < 200; i += 1) {
      const verdict = await quotas.take(limited, 1);
      if (verdict.kind === 'refused') waitsMs.push(verdict.waitMs);
      else await quotas.end(chargeOf(verdict), end({ headers: provider.admit(limited.credential!.id)!.headers }));
      clock.ms += 100;
    }
    expect(provider.counts(limited.credential!.id)).toEqual({ admitted: 79, refused: 0 });
    expect(Math.max(...waitsMs)).toBeLessThanOrEqual(1000);
  });

  test('a reply that is late does not bring back what was used meanwhile', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    await quotas.end(chargeOf(await quotas.take(limited, 1)), end({ headers: told(10, 4, '30s') }));
    const slow = admitted(await quotas.take(limited, 1));
    const quick = admitted(await quotas.take(limited, 1));
    await quotas.end(quick, end({ headers: told(10, 2, '30s') }));
    await quotas.end(slow, end({ headers: told(10, 3, '30s') }));
    admitted(await quotas.take(limited, 1));
    admitted(await quotas.take(limited, 1));
    expect((await quotas.take(limited, 1)).kind).toBe('refused');
  });

  test('calls that overtake each other on their way take nothing from a window', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    const id = limited.credential!.id;
    const provider = new FakeQuota({ [id]: { requests: 100, windowMs: 60_000, style: 'window', headers: true } }, clock.now);
    const call = async (): Promise<QuotaCharge> => chargeOf(await quotas.take(limited, 1));
    const reply = (charge: QuotaCharge): Promise<void> => quotas.end(charge, end({ headers: provider.admit(id)!.headers }));
    for (let i = 0; i < 10; i += 1, clock.ms += 500) await reply(await call()); // by now it is known that it is a window
    for (let i = 0; i < 20; i += 1) {
      const charges = [await call(), await call(), await call()];
      for (const charge of i % 2 === 0 ? charges.toReversed() : charges) await reply(charge);
    }
    for (let i = 0; i < 30; i += 1) await reply(admitted(await quotas.take(limited, 1)));
    expect((await quotas.take(limited, 1)).kind).toBe('refused');
    expect(provider.counts(id)).toEqual({ admitted: 100, refused: 0 });
  });

  test('a reply from a window that is over takes nothing from the next one', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    const id = limited.credential!.id;
    const provider = new FakeQuota({ [id]: { requests: 10, windowMs: 60_000, style: 'window', headers: true } }, clock.now);
    const call = async (): Promise<QuotaEnd> => end({ headers: provider.admit(id)!.headers, headersAtMs: clock.ms });
    for (let i = 0; i < 9; i += 1, clock.ms += 1000) await quotas.end(chargeOf(await quotas.take(limited, 1)), await call());
    const slow = admitted(await quotas.take(limited, 1));
    const last = await call(); // of a stream that goes on into the next window
    clock.ms += 60_000;
    await quotas.end(admitted(await quotas.take(limited, 1)), await call());
    await quotas.end(slow, last);
    for (let i = 0; i < 9; i += 1) admitted(await quotas.take(limited, 1));
    expect((await quotas.take(limited, 1)).kind).toBe('refused');
  });

  test('however far away a reset is said to be, somebody asks again after an hour', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    await quotas.end(chargeOf(await quotas.take(limited, 1)), end({ headers: told(10, 0, '99999999h') }));
    expect(await quotas.take(limited, 1)).toEqual({ kind: 'refused', waitMs: 3_600_000 });
    clock.ms += 3_600_000;
    admitted(await quotas.take(limited, 1));
  });

  test('tokens are a quota of their own, and one that is whole lets any call through', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    await quotas.end(chargeOf(await quotas.take(limited, 100)), end({ headers: told(1000, 300, '20s', 'tokens') }));
    expect(await quotas.take(limited, 301)).toEqual({ kind: 'refused', waitMs: 20_000 });
    admitted(await quotas.take(limited, 300));
    expect((await quotas.take(limited, 1)).kind).toBe('refused');
    clock.ms += 20_000;
    admitted(await quotas.take(limited, 2000));
  });

  test('a quota that is far from used up needs no look into Redis, and one that is near does', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    const heard = async (remaining: number): Promise<string> => {
      await quotas.end(chargeOf(await quotas.take(limited, 1)), end({ headers: told(1000, remaining, '30s') }));
      return (await quotas.take(limited, 1)).kind;
    };
    expect([await heard(900), await heard(400)]).toEqual(['free', 'admitted']);
    expect(await heard(900)).toBe('free');
    clock.ms += 6000; // others may have used it up
    admitted(await quotas.take(limited, 1));
  });

  test('after a 429 nobody goes there until the later of what was said and what was known', async () => {
    const clock = new Clock();
    const [one, two] = [gateway(clock), gateway(clock)];
    const limited = candidate();
    const other = candidate({}, limited.credential!.id);
    await one.end(chargeOf(await one.take(limited, 1)), end({ headers: told(10, 0, '8s'), failure: 'rate', retryAfterMs: 2000 }));
    await two.listen();
    expect(await two.take(limited, 1)).toEqual({ kind: 'refused', waitMs: 8000 });
    clock.ms += 8000;
    admitted(await two.take(limited, 1));
    // Providers limit each model by itself.
    expect((await one.take({ ...other, upstreamModel: 'another' }, 1)).kind).toBe('free');
  });
});

describe('without Redis', () => {
  test('everything is admitted but what this process was told to wait for, and nothing throws', async () => {
    const own = await RedisProcess.start();
    const clock = new Clock();
    const quotas = new CredentialQuotas(own.client, 'gateway', strictLogger, clock.now);
    const [waiting, configured] = [candidate(), candidate({ requests_per_minute: 1, concurrency: 1 })];
    await quotas.end(chargeOf(await quotas.take(waiting, 1)), end({ failure: 'rate', retryAfterMs: 4000 }));
    await own.kill();
    await quotas.heartbeat();
    await quotas.listen();
    expect(await quotas.take(waiting, 1)).toEqual({ kind: 'refused', waitMs: 4000 });
    for (let i = 0; i < 3; i += 1) await quotas.end(chargeOf(await quotas.take(configured, 1)), end());
    const question = quotas.ask([waiting, configured], 1);
    expect(await quotas.read(question, undefined)).toMatchObject({ kind: 'free', index: 1 });
    expect(await quotas.read(question, [new Error('lost'), null])).toMatchObject({ kind: 'free', index: 1 });
    await own.stop();
  });

  test('a Redis that forgot the scripts is taught them again', async () => {
    const quotas = gateway(new Clock());
    const limited = candidate({ requests_per_minute: 2, concurrency: 5 });
    await server.client.script('FLUSH');
    const charge = admitted(await quotas.take(limited, 1));
    await server.client.script('FLUSH');
    await quotas.end(charge, end());
    await server.client.script('FLUSH');
    const question = quotas.ask([limited], 1);
    const { script, keys, args } = question.call!;
    const replies = await server.client.pipeline().evalsha(script.sha1, keys.length, ...keys, ...args).exec();
    expect(replies?.[0]?.[0]?.message).toMatch(/^NOSCRIPT/);
    expect((await quotas.read(question, replies?.[0])).kind).toBe('admitted');
  });

  test('Redis’s own clock decides where no other is given', async () => {
    const quotas = new CredentialQuotas(server.client, 'gateway-real', strictLogger);
    await quotas.start();
    const limited = candidate({ requests_per_day: 1 });
    admitted(await quotas.take(limited, 1));
    const refused = (await quotas.take(limited, 1)) as { waitMs: number };
    expect(refused.waitMs).toBeGreaterThan(86_300_000);
    quotas.close();
  });
});
