import type { AttemptOutcome, Trouble } from '@deja/contracts';

/** What is known against a credential or a deployment. A healthy one has none. */
export interface Health {
  trouble: Trouble;
  /** Consecutive failures that counted. */
  failures: number;
  /** Time of the last one, Unix ms. */
  failedAtMs: number;
  /** Not to be chosen before; 0 while it is only being watched. */
  untilMs: number;
}

/** How long something is set aside: `firstMs`, doubled with each further failure up to `mostMs`, from the `after`-th consecutive failure on. */
const PAUSES: Record<Trouble, { after: number; firstMs: number; mostMs: number }> = {
  // A guess for a 429 that does not say when to come back.
  rate_limited: { after: 1, firstMs: 1000, mostMs: 60_000 },
  exhausted: { after: 1, firstMs: 5 * 60_000, mostMs: 60 * 60_000 },
  rejected: { after: 1, firstMs: 60_000, mostMs: 15 * 60_000 },
  // One 403 may be about the model a client asked for: only a credential that gets nothing else is set aside.
  forbidden: { after: 5, firstMs: 30_000, mostMs: 5 * 60_000 },
  failing: { after: 5, firstMs: 5000, mostMs: 60_000 },
};

const LONGEST_RETRY_AFTER_MS = 60 * 60_000;
const SHORTEST_RETRY_AFTER_MS = 100;
/** Clocks differ and events come late: an outcome counts as having happened at most this long ago, and never in the future. */
const OLDEST_OUTCOME_MS = 60_000;

/** What an outcome says about its credential; null is nothing. */
export function credentialVerdict(outcome: AttemptOutcome): Trouble | 'healthy' | null {
  if (outcome.status === 429) return 'rate_limited';
  if (outcome.status === 401) return 'rejected';
  if (outcome.status === 403) return 'forbidden';
  return succeeded(outcome) ? 'healthy' : null;
}

/** What an outcome says about its deployment; null is nothing. */
export function deploymentVerdict(outcome: AttemptOutcome): Trouble | 'healthy' | null {
  const { status, failure } = outcome;
  if (status === 429) return outcome.credential === null ? 'rate_limited' : null;
  if (status === 408 || (status !== null && status >= 500)) return 'failing';
  if (failure === 'timeout' || failure === 'network' || failure === 'malformed') return 'failing';
  // An answer such as 400 or 404 is about the request: whoever gives it is alive.
  return succeeded(outcome) || (status !== null && status >= 400) ? 'healthy' : null;
}

function succeeded(outcome: AttemptOutcome): boolean {
  return outcome.failure === null && outcome.status !== null && outcome.status < 400;
}

/** The health after one more outcome; the same object when nothing changed. */
export function healthAfter(health: Health | null, verdict: Trouble | 'healthy' | null, outcome: AttemptOutcome, nowMs: number): Health | null {
  if (verdict === null) return health;
  const atMs = Math.min(nowMs, Math.max(outcome.atMs, nowMs - OLDEST_OUTCOME_MS));
  if (verdict === 'healthy') {
    // A long answer that began before the failure proves nothing about the time after it.
    return health !== null && atMs - outcome.durationMs >= health.failedAtMs ? null : health;
  }
  const askedForMs = verdict === 'rate_limited' && outcome.retryAfterMs !== null ? atMs + clamp(outcome.retryAfterMs) : 0;
  if (health !== null && atMs < health.untilMs) {
    // Requests that were under way together fail together: that is one failure. What the provider says itself still counts.
    return askedForMs > health.untilMs ? { ...health, untilMs: askedForMs } : health;
  }
  const failures = health?.trouble === verdict ? health.failures + 1 : 1;
  return { trouble: verdict, failures, failedAtMs: Math.max(atMs, health?.failedAtMs ?? 0), untilMs: askedForMs || guessedUntilMs(verdict, failures, atMs) };
}

function guessedUntilMs(trouble: Trouble, failures: number, atMs: number): number {
  const { after, firstMs, mostMs } = PAUSES[trouble];
  return failures < after ? 0 : atMs + Math.min(mostMs, firstMs * 2 ** Math.min(failures - after, 30));
}

function clamp(retryAfterMs: number): number {
  return Math.min(LONGEST_RETRY_AFTER_MS, Math.max(SHORTEST_RETRY_AFTER_MS, Math.ceil(retryAfterMs)));
}
