import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Candidate, Limits } from '@deja/contracts';
import { FakeQuota, RedisProcess, type FakeQuotaRule } from '@deja/testing';
import fc from 'fast-check';
import { CredentialQuotas, type QuotaCharge, type QuotaEnd, type QuotaVerdict } from './credential-quotas.ts';

let server: RedisProcess;
let made = 0;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const errors: unknown[] = [];
const logger = { error: (...args: unknown[]): void => void errors.push(args) };
afterEach(() => expect(errors.splice(0)).toEqual([]));

const START_MS = Date.parse('2026-03-01T12:00:00Z');

/** A clock that moves only when told. */
class Clock {
  ms = START_MS;
  readonly now = (): number => this.ms;
}

function candidate(limits: Limits = {}, id = `p/c${(made += 1)}`): Candidate {
  const credential = { id, version: 'v1', weight: 1, limits, unavailableUntilMs: 0 };
  return { model: 'm', upstreamModel: 'm', credential, deployment: { id: 'p/m', provider: 'p', kind: 'openai', baseUrl: 'http://p', apiVersion: null, upstreamModel: 'm', credentials: [credential], unavailableUntilMs: 0 } };
}

const gateway = (clock: Clock): CredentialQuotas => new CredentialQuotas(server.client, `gateway-${(made += 1)}`, logger, clock.now);
const admitted = (verdict: QuotaVerdict): QuotaCharge => {
  expect(verdict.kind).toBe('admitted');
  return (verdict as { charge: QuotaCharge }).charge;
};
const anyCharge = (verdict: QuotaVerdict): QuotaCharge => (verdict as { charge: QuotaCharge }).charge;
const end = (more: Partial<QuotaEnd> = {}): QuotaEnd => ({ tokens: null, headers: null, failure: null, retryAfterMs: null, ...more });
const told = (limit: number, remaining: number, reset: string, kind = 'requests'): QuotaEnd['headers'] => ({
  [`x-ratelimit-limit-${kind}`]: String(limit), [`x-ratelimit-remaining-${kind}`]: String(remaining), [`x-ratelimit-reset-${kind}`]: reset,
});

describe('configured limits', () => {
  test('several gateways together admit exactly the limit, and refuse nothing before it is used up', async () => {
    const clock = new Clock();
    const gateways = [gateway(clock), gateway(clock), gateway(clock)];
    const limited = candidate({ requests_per_minute: 40 });
    const verdicts = await Promise.all(Array.from({ length: 90 }, (_, i) => gateways[i % 3]!.take(limited, 1)));
    expect(verdicts.filter(({ kind }) => kind === 'admitted')).toHaveLength(40);
    expect(verdicts.find(({ kind }) => kind === 'refused')).toEqual({ kind: 'refused', waitMs: 61_000 });
  });

  test('no minute and no day, wherever it begins, admits more than the limit, and a wait that was told is honest', async () => {
    const step = fc.record({ afterMs: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: 0, max: 20 * 3_600_000 })), tokens: fc.integer({ min: 0, max: 30 }), actual: fc.integer({ min: 0, max: 40 }), gateway: fc.nat(1) });
    const limits = fc.record({ requests_per_minute: fc.integer({ min: 1, max: 6 }), tokens_per_minute: fc.integer({ min: 30, max: 90 }), requests_per_day: fc.integer({ min: 1, max: 20 }), tokens_per_day: fc.integer({ min: 30, max: 300 }) });
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), limits, async (steps, configured) => {
      const clock = new Clock();
      const gateways = [gateway(clock), gateway(clock)];
      const limited = candidate(configured);
      const calls: { atMs: number; tokens: number }[] = [];
      for (const { afterMs, tokens, actual, gateway: which } of steps) {
        clock.ms += afterMs;
        const verdict = await gateways[which]!.take(limited, tokens);
        const within = (spanMs: number): { requests: number; tokens: number } => {
          const counted = calls.filter(({ atMs }) => atMs > clock.ms - spanMs);
          return { requests: counted.length, tokens: counted.reduce((sum, call) => sum + call.tokens, 0) };
        };
        const fits = (minuteMs: number, dayMs: number): boolean => {
          const [minute, day] = [within(minuteMs), within(dayMs)];
          return minute.requests < configured.requests_per_minute && day.requests < configured.requests_per_day && minute.tokens + tokens <= configured.tokens_per_minute && day.tokens + tokens <= configured.tokens_per_day;
        };
        if (verdict.kind === 'admitted') {
          expect(fits(60_000, 86_400_000)).toBe(true);
          await gateways[which]!.end(verdict.charge, end({ tokens: actual }));
          calls.push({ atMs: clock.ms, tokens: actual });
        } else {
          // A bucket is a second of a minute, or a minute of a day: what is refused would not have fitted into a window that is longer by one.
          expect(fits(61_000, 86_460_000)).toBe(false);
          const { waitMs } = verdict as { waitMs: number };
          expect(waitMs).toBeGreaterThan(0);
          const later = { ms: clock.ms + waitMs };
          clock.ms = later.ms;
          expect((await gateways[which]!.take(limited, tokens)).kind).toBe('admitted');
          calls.push({ atMs: clock.ms, tokens });
        }
      }
    }), { numRuns: 40 });
  });

  test('a call that is more than a limit ever admits is told so; one that fits elsewhere goes there', async () => {
    const quotas = gateway(new Clock());
    const small = candidate({ tokens_per_minute: 100 });
    const large = candidate({ tokens_per_minute: 1000 });
    expect(await quotas.take(small, 101)).toEqual({ kind: 'refused', waitMs: -1 });
    const question = quotas.ask([small, large], 500);
    const replies = await server.client.pipeline().evalsha(question.call!.script.sha1, question.call!.keys.length, ...question.call!.keys, ...question.call!.args).exec();
    expect(await quotas.read(question, replies?.[0])).toMatchObject({ kind: 'admitted', index: 1 });
  });

  test('so many calls at once and no more; a call whose end was lost counts until its lease is over', async () => {
    const clock = new Clock();
    const [one, two] = [gateway(clock), gateway(clock)];
    const limited = candidate({ concurrency: 3 });
    const first = admitted(await one.take(limited, 1));
    admitted(await two.take(limited, 1));
    admitted(await two.take(limited, 1));
    expect((await one.take(limited, 1)).kind).toBe('refused');
    await one.end(first, end());
    await one.end(first, end());
    const again = admitted(await one.take(limited, 1));
    expect((await one.take(limited, 1)).kind).toBe('refused');
    clock.ms += 45_000;
    await one.heartbeat(); // the other gateway has died
    clock.ms += 20_000;
    admitted(await one.take(limited, 1));
    admitted(await one.take(limited, 1));
    expect((await one.take(limited, 1)).kind).toBe('refused');
    await one.end(again, end());
    admitted(await one.take(limited, 1));
  });

  test('a call that was never sent gives everything back', async () => {
    const quotas = gateway(new Clock());
    const limited = candidate({ requests_per_minute: 1, tokens_per_minute: 10, concurrency: 1 });
    await quotas.end(admitted(await quotas.take(limited, 10)), end({ unsent: true }));
    admitted(await quotas.take(limited, 10));
    expect((await quotas.take(limited, 0)).kind).toBe('refused');
  });
});

describe('quotas that providers tell', () => {
  test('a credential without limits costs nothing until something is heard of it', async () => {
    const quotas = gateway(new Clock());
    const free = candidate();
    expect(quotas.ask([free, candidate({ concurrency: 1 })], 1).call).toBeNull();
    const { charge } = (await quotas.take(free, 1)) as { charge: QuotaCharge };
    expect(quotas.endCalls(charge, end({ tokens: 7 }))).toEqual([]);
  });

  test('what is left is what the provider said less what was charged since, for every gateway', async () => {
    const clock = new Clock();
    const [one, two] = [gateway(clock), gateway(clock)];
    const limited = candidate();
    await one.end(anyCharge(await one.take(limited, 1)), end({ headers: told(60, 5, '30s') }));
    await two.listen();
    const verdicts = [];
    for (let i = 0; i < 7; i += 1) verdicts.push(await [one, two][i % 2]!.take(limited, 1));
    expect(verdicts.map(({ kind }) => kind)).toEqual([...Array<string>(5).fill('admitted'), 'refused', 'refused']);
    expect(verdicts[6]).toEqual({ kind: 'refused', waitMs: 30_000 });
    // Another client shares the account: the provider knows better.
    await two.end(anyCharge(verdicts[0]!), end({ headers: told(60, 4, '30s') }));
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
      else await quotas.end(anyCharge(verdict), end({ headers: provider.admit(limited.credential!.id)!.headers }));
      clock.ms += 100;
    }
    expect(provider.counts(limited.credential!.id)).toEqual({ admitted: 79, refused: 0 });
    expect(Math.max(...waitsMs)).toBeLessThanOrEqual(1000);
  });

  test('a reply that is late does not bring back what was used meanwhile', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    await quotas.end(anyCharge(await quotas.take(limited, 1)), end({ headers: told(10, 4, '30s') }));
    const slow = admitted(await quotas.take(limited, 1));
    const quick = admitted(await quotas.take(limited, 1));
    await quotas.end(quick, end({ headers: told(10, 2, '30s') }));
    await quotas.end(slow, end({ headers: told(10, 3, '30s') }));
    admitted(await quotas.take(limited, 1));
    admitted(await quotas.take(limited, 1));
    expect((await quotas.take(limited, 1)).kind).toBe('refused');
  });

  test('tokens are a quota of their own, and one that is whole lets any call through', async () => {
    const clock = new Clock();
    const quotas = gateway(clock);
    const limited = candidate();
    await quotas.end(anyCharge(await quotas.take(limited, 100)), end({ headers: told(1000, 300, '20s', 'tokens') }));
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
      await quotas.end(anyCharge(await quotas.take(limited, 1)), end({ headers: told(1000, remaining, '30s') }));
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
    await one.end(anyCharge(await one.take(limited, 1)), end({ headers: told(10, 0, '8s'), failure: 'rate', retryAfterMs: 2000 }));
    await two.listen();
    expect(await two.take(limited, 1)).toEqual({ kind: 'refused', waitMs: 8000 });
    clock.ms += 8000;
    admitted(await two.take(limited, 1));
    // Providers limit each model by itself.
    expect((await one.take({ ...other, upstreamModel: 'another' }, 1)).kind).toBe('free');
  });
});

describe('quotas found out by 429s', () => {
  const everyMs = async (quotas: CredentialQuotas, limited: Candidate, clock: Clock, provider: FakeQuota, stepMs: number, minutes: number): Promise<{ admitted: number; refused: number }> => {
    const name = limited.credential!.id;
    const before = provider.counts(name);
    for (const endMs = clock.ms + minutes * 60_000; clock.ms < endMs; clock.ms += stepMs) {
      const verdict = await quotas.take(limited, 1);
      if (verdict.kind === 'refused') continue;
      const { admitted: taken, headers } = provider.admit(name)!;
      const retryAfterMs = 'retry-after-ms' in headers ? Number(headers['retry-after-ms']) : null;
      await quotas.end(anyCharge(verdict), end({ headers, failure: taken ? null : 'rate', retryAfterMs }));
    }
    const after = provider.counts(name);
    return { admitted: after.admitted - before.admitted, refused: after.refused - before.refused };
  };
  const providing = (limited: Candidate, requests: number, clock: Clock, more: Partial<FakeQuotaRule> = {}): FakeQuota =>
    new FakeQuota({ [limited.credential!.id]: { requests, windowMs: 60_000, style: 'window', headers: false, ...more } }, clock.now);

  test('a window is used to its last call and not beyond, in one burst too', async () => {
    const [clock, limited] = [new Clock(), candidate()];
    const quotas = gateway(clock);
    const provider = providing(limited, 12, clock);
    await everyMs(quotas, limited, clock, provider, 500, 3);
    const { admitted: used, refused } = await everyMs(quotas, limited, clock, provider, 500, 5);
    expect({ used, refused }).toEqual({ used: 60, refused: 0 });
    clock.ms += 120_000;
    const verdicts = [];
    for (let i = 0; i < 14; i += 1) verdicts.push((await quotas.take(limited, 1)).kind);
    expect(verdicts.filter((kind) => kind === 'admitted')).toHaveLength(12);
  });

  test('a bucket is emptied as it fills, at the price of few refusals', async () => {
    const [clock, limited] = [new Clock(), candidate()];
    const quotas = gateway(clock);
    const provider = providing(limited, 12, clock, { style: 'bucket' });
    await everyMs(quotas, limited, clock, provider, 200, 5);
    const { admitted: used, refused } = await everyMs(quotas, limited, clock, provider, 200, 30);
    expect(used).toBeGreaterThanOrEqual(0.97 * 30 * 12);
    expect(refused).toBeLessThan(0.02 * used);
  });

  test('a quota that was raised is found out, and one that was lowered too', async () => {
    const [clock, limited] = [new Clock(), candidate()];
    const quotas = gateway(clock);
    await everyMs(quotas, limited, clock, providing(limited, 12, clock), 500, 4);
    const raised = providing(limited, 20, clock);
    await everyMs(quotas, limited, clock, raised, 500, 40);
    expect((await everyMs(quotas, limited, clock, raised, 500, 10)).admitted).toBeGreaterThanOrEqual(195);
    const lowered = providing(limited, 8, clock);
    await everyMs(quotas, limited, clock, lowered, 500, 4);
    expect((await everyMs(quotas, limited, clock, lowered, 500, 10)).admitted).toBeGreaterThanOrEqual(78);
  });

  test('where nobody says how long to wait, the waits grow and a minute is assumed', async () => {
    const [clock, limited] = [new Clock(), candidate()];
    const quotas = gateway(clock);
    const provider = providing(limited, 12, clock, { retryAfter: 'none' });
    await everyMs(quotas, limited, clock, provider, 500, 6);
    const { admitted: used, refused } = await everyMs(quotas, limited, clock, provider, 500, 10);
    expect(used).toBeGreaterThanOrEqual(114);
    expect(refused).toBeLessThan(5);
  });
});

describe('without Redis', () => {
  test('everything is admitted but what this process was told to wait for, and nothing throws', async () => {
    const own = await RedisProcess.start();
    const clock = new Clock();
    const quotas = new CredentialQuotas(own.client, 'gateway', logger, clock.now);
    const [waiting, configured] = [candidate(), candidate({ requests_per_minute: 1, concurrency: 1 })];
    await quotas.end(anyCharge(await quotas.take(waiting, 1)), end({ failure: 'rate', retryAfterMs: 4000 }));
    await own.kill();
    await quotas.heartbeat();
    await quotas.listen();
    expect(await quotas.take(waiting, 1)).toEqual({ kind: 'refused', waitMs: 4000 });
    for (let i = 0; i < 3; i += 1) await quotas.end(anyCharge(await quotas.take(configured, 1)), end());
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
    const quotas = new CredentialQuotas(server.client, 'gateway-real', logger);
    await quotas.start();
    const limited = candidate({ requests_per_day: 1 });
    admitted(await quotas.take(limited, 1));
    const refused = (await quotas.take(limited, 1)) as { waitMs: number };
    expect(refused.waitMs).toBeGreaterThan(86_300_000);
    quotas.close();
  });
});
