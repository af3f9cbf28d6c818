import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Candidate } from '@deja/contracts';
import { FakeQuota, RedisProcess, type FakeQuotaRule } from '@deja/testing';
import { CredentialQuotas } from './credential-quotas.ts';
import { candidate, chargeOf, Clock, end, strictLogger, uniqueName, waitSaidMs } from '../../test/quota-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const gateway = (clock: Clock): CredentialQuotas => new CredentialQuotas(server.client, uniqueName('gateway-'), strictLogger, clock.now);

type Counts = ReturnType<FakeQuota['counts']>;

describe('quotas found out by 429s', () => {
  /** Wants a call every `stepMs`, for so many minutes. */
  const everyMs = async (quotas: CredentialQuotas, limited: Candidate, clock: Clock, provider: FakeQuota, stepMs: number, minutes: number): Promise<Counts> => {
    const name = limited.credential!.id;
    const before = provider.counts(name);
    for (const endMs = clock.ms + minutes * 60_000; clock.ms < endMs; clock.ms += stepMs) {
      const verdict = await quotas.take(limited, 1);
      if (verdict.kind === 'refused') continue;
      const { admitted: taken, headers } = provider.admit(name)!;
      await quotas.end(chargeOf(verdict), end({ headers, failure: taken ? null : 'rate', retryAfterMs: waitSaidMs(headers) }));
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
