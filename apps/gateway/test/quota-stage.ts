import type { Candidate, Limits } from '@deja/contracts';
import type { QuotaCharge, QuotaEnd, QuotaVerdict } from '../src/quotas/credential-quotas.ts';

/** What the specs of quotas stand on. */
export const START_MS = Date.parse('2026-03-01T12:00:00Z');

/** A clock that moves only when told. */
export class Clock {
  ms = START_MS;
  readonly now = (): number => this.ms;
}

let made = 0;

/** Never the same twice. */
export const uniqueName = (prefix: string): string => `${prefix}${(made += 1)}`;

export function candidate(limits: Limits = {}, id = uniqueName('p/c')): Candidate {
  const credential = { id, version: 'v1', weight: 1, limits, unavailableUntilMs: 0 };
  const deployment = { id: 'p/m', provider: 'p', kind: 'openai' as const, baseUrl: 'http://p', apiVersion: null, upstreamModel: 'm', credentials: [credential], unavailableUntilMs: 0 };
  return { model: 'm', upstreamModel: 'm', credential, deployment };
}

/** Throws where nothing was admitted. */
export function chargeOf(verdict: QuotaVerdict): QuotaCharge {
  if (verdict.kind === 'refused') throw new Error(`refused for ${verdict.waitMs} ms`);
  return verdict.charge;
}

export const end = (more: Partial<QuotaEnd> = {}): QuotaEnd => ({ tokens: null, headers: null, failure: null, retryAfterMs: null, ...more });

/** What Redis objects to is a defect, and fails the test. */
export const strictLogger = {
  error(...args: unknown[]): never {
    throw new Error('a script failed', { cause: args });
  },
};

/** How long the headers of a 429 say to wait. */
export function waitSaidMs(headers: Record<string, string>): number | null {
  if (headers['retry-after-ms'] !== undefined) return Number(headers['retry-after-ms']);
  return headers['retry-after'] === undefined ? null : 1000 * Number(headers['retry-after']);
}
