import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import fc from 'fast-check';
import { CredentialQuotas, type QuotaCharge, type QuotaVerdict } from './credential-quotas.ts';
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

const step = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: 0, max: 20 * 3_600_000 })),
  tokens: fc.integer({ min: 0, max: 30 }),
  actual: fc.integer({ min: 0, max: 30 }),
  which: fc.nat(1),
});
const limits = fc.record({
  requests_per_minute: fc.integer({ min: 1, max: 6 }),
  tokens_per_minute: fc.integer({ min: 30, max: 90 }),
  requests_per_day: fc.integer({ min: 1, max: 20 }),
  tokens_per_day: fc.integer({ min: 30, max: 300 }),
});

interface Call {
  atMs: number;
  tokens: number;
}
type AllLimits = typeof limits extends fc.Arbitrary<infer Value> ? Value : never;

/** Whether one more call of so many tokens fits under the limits, counted over windows of these lengths. */
function fits(calls: Call[], nowMs: number, tokens: number, configured: AllLimits, minuteMs: number, dayMs: number): boolean {
  const within = (spanMs: number): { requests: number; tokens: number } => {
    const counted = calls.filter(({ atMs }) => atMs > nowMs - spanMs);
    return { requests: counted.length, tokens: counted.reduce((sum, call) => sum + call.tokens, 0) };
  };
  const [minute, day] = [within(minuteMs), within(dayMs)];
  const requestsFit = minute.requests < configured.requests_per_minute && day.requests < configured.requests_per_day;
  return requestsFit && minute.tokens + tokens <= configured.tokens_per_minute && day.tokens + tokens <= configured.tokens_per_day;
}

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
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), limits, async (steps, configured) => {
      const clock = new Clock();
      const gateways = [gateway(clock), gateway(clock)];
      const limited = candidate(configured);
      const calls: Call[] = [];
      const wrong: string[] = [];
      for (const { afterMs, tokens, actual, which } of steps) {
        clock.ms += afterMs;
        const quotas = gateways[which]!;
        let verdict = await quotas.take(limited, tokens);
        if (verdict.kind === 'refused') {
          // A bucket is a second of a minute, or a minute of a day: what is refused would not have fitted into a window that is longer by one.
          if (fits(calls, clock.ms, tokens, configured, 61_000, 86_460_000)) wrong.push(`refused for nothing at ${clock.ms}`);
          clock.ms += verdict.waitMs;
          verdict = await quotas.take(limited, tokens);
        }
        if (verdict.kind !== 'admitted') wrong.push(`no room after the wait, at ${clock.ms}`);
        else if (!fits(calls, clock.ms, tokens, configured, 60_000, 86_400_000)) wrong.push(`more than the limit at ${clock.ms}`);
        else await quotas.end(verdict.charge, end({ tokens: actual }));
        calls.push({ atMs: clock.ms, tokens: actual });
      }
      expect(wrong).toEqual([]);
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
