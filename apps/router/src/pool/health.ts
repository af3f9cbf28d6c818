import type { AttemptOutcome, FailureKind, Trouble } from '@deja/contracts';

/** What is known against a credential or a deployment. A healthy one has none. */
export interface Health {
  trouble: Trouble;
  /** Consecutive failures that counted: those of one pause are one. */
  failures: number;
  /** Time of the last one, Unix ms. */
  failedAtMs: number;
  /** Not to be chosen before; from then on it is on probation. 0 while it is only being watched. */
  untilMs: number;
}

/** What a change of health needs of the world. */
export interface Moment {
  nowMs: number;
  /** Uniform in [0, 1): spreads pauses, so that what was set aside together is not tried again together. */
  random: () => number;
}

/** A pause: `firstMs`, doubled with each further failure up to `mostMs`. */
export interface Pause {
  firstMs: number;
  mostMs: number;
}

/** What one outcome says. */
export type Verdict = Trouble | 'healthy' | null;

/** Trouble with the account behind a credential, and how long it is set aside from the `after`-th consecutive failure on. */
const PAUSES: Record<Exclude<Trouble, 'failing'>, Pause & { after: number }> = {
  // A guess for a 429 that does not say when to come back.
  rate_limited: { after: 1, firstMs: 1000, mostMs: 60_000 },
  exhausted: { after: 1, firstMs: 5 * 60_000, mostMs: 60 * 60_000 },
  rejected: { after: 1, firstMs: 60_000, mostMs: 15 * 60_000 },
  // One 403 may be about the model a client asked for: only a credential that gets nothing else is set aside.
  forbidden: { after: 5, firstMs: 30_000, mostMs: 5 * 60_000 },
};

/** A guessed pause is this much shorter or longer, as a share of itself. */
const JITTER = 0.2;
const LONGEST_RETRY_AFTER_MS = 60 * 60_000;
const SHORTEST_RETRY_AFTER_MS = 100;
/** Clocks differ and events come late: an outcome counts as having happened at most this long ago, and never in the future. */
const OLDEST_OUTCOME_MS = 60_000;
const FORBIDDEN_STATUS = 403;

const OF_THE_DEPLOYMENT: ReadonlySet<FailureKind | null> = new Set(['overloaded', 'timeout', 'network', 'malformed']);
const OF_THE_REQUEST: ReadonlySet<FailureKind | null> = new Set(['caller', 'context_window', 'content_policy', 'model']);

/** What an outcome says about its credential; null is nothing. */
export function credentialVerdict(outcome: Pick<AttemptOutcome, 'failure' | 'status'>): Exclude<Verdict, 'failing'> {
  if (outcome.failure === 'quota') return 'exhausted';
  if (outcome.failure === 'rate') return 'rate_limited';
  if (outcome.failure === 'auth') return outcome.status === FORBIDDEN_STATUS ? 'forbidden' : 'rejected';
  return succeeded(outcome) ? 'healthy' : null;
}

/** What an outcome says about its deployment; null is nothing. */
export function deploymentVerdict(outcome: Pick<AttemptOutcome, 'failure' | 'status' | 'credential'>): Verdict {
  if (OF_THE_DEPLOYMENT.has(outcome.failure)) return 'failing';
  // Whoever refuses a request for what it is, is alive. A door that does not let a credential in says nothing of what is behind it.
  if (succeeded(outcome) || (OF_THE_REQUEST.has(outcome.failure) && outcome.status !== null)) return 'healthy';
  // Where there is no credential to be set aside, it is the deployment.
  return outcome.credential === null ? credentialVerdict(outcome) : null;
}

function succeeded({ failure, status }: Pick<AttemptOutcome, 'failure' | 'status'>): boolean {
  return failure === null && status !== null && status < 400;
}

/** When an attempt began and ended, Unix ms, as far as its gateway's clock can be believed. */
export function timesOf(outcome: Pick<AttemptOutcome, 'atMs' | 'durationMs'>, nowMs: number): { beganMs: number; endedMs: number } {
  const endedMs = Math.min(nowMs, Math.max(outcome.atMs, nowMs - OLDEST_OUTCOME_MS));
  return { beganMs: endedMs - outcome.durationMs, endedMs };
}

/** The health after one more outcome of the account; the same object when nothing changed. */
export function healthAfter(health: Health | null, verdict: Exclude<Verdict, 'failing'>, outcome: AttemptOutcome, at: Moment): Health | null {
  if (verdict === null || (verdict === 'healthy' && health === null)) return health;
  const { beganMs, endedMs } = timesOf(outcome, at.nowMs);
  if (verdict === 'healthy') return health !== null && healedBy(health, beganMs) ? null : health;

  const saidMs = verdict === 'rate_limited' && outcome.retryAfterMs !== null ? endedMs + withinBounds(outcome.retryAfterMs) : 0;
  if (health !== null && endedMs < health.untilMs) return duringPause(health, verdict, { saidMs, endedMs }, at);
  const failures = health?.trouble === verdict ? health.failures + 1 : 1;
  return { trouble: verdict, failures, failedAtMs: Math.max(endedMs, health?.failedAtMs ?? 0), untilMs: saidMs || guessedUntilMs(verdict, failures, endedMs, at) };
}

/** Requests that were under way together fail together: that is one failure. What the provider says itself counts, and what is worse than a rate limit. */
function duringPause(health: Health, verdict: Exclude<Trouble, 'failing'>, { saidMs, endedMs }: { saidMs: number; endedMs: number }, at: Moment): Health {
  if (verdict === 'rate_limited') {
    if (saidMs <= health.untilMs) return health;
    // A breaker has its own longest pause: what goes beyond it is the rate limit.
    return { ...health, ...(health.trouble === 'failing' && { trouble: verdict, failures: 1 }), untilMs: saidMs };
  }
  const untilMs = guessedUntilMs(verdict, 1, endedMs, at);
  if (health.trouble !== 'rate_limited' || untilMs === 0) return health;
  return { trouble: verdict, failures: 1, failedAtMs: Math.max(endedMs, health.failedAtMs), untilMs: Math.max(untilMs, health.untilMs) };
}

/** Times and durations of attempts are whole milliseconds: one may seem to have begun so much earlier than it did. */
export const ROUNDING_MS = 2;

/** Whether a success that began then shows that the trouble is over. */
function healedBy({ trouble, failedAtMs, untilMs }: Health, beganMs: number): boolean {
  if (untilMs === 0) return true; // a few failures that were being watched: they were not all it gets
  // One request that still slipped through a rate limit does not lift it before its time.
  return beganMs >= (trouble === 'rate_limited' ? untilMs - ROUNDING_MS : failedAtMs);
}

function guessedUntilMs(trouble: Exclude<Trouble, 'failing'>, failures: number, fromMs: number, { random }: Moment): number {
  const { after, ...pause } = PAUSES[trouble];
  return failures < after ? 0 : fromMs + pauseMs(pause, failures - after, random);
}

/** The pause after so many earlier ones, ms. */
export function pauseMs({ firstMs, mostMs }: Pause, earlier: number, random: () => number): number {
  const guessMs = firstMs * 2 ** Math.min(earlier, 30);
  return Math.round(Math.min(mostMs, Math.min(mostMs, guessMs) * (1 - JITTER + 2 * JITTER * random())));
}

function withinBounds(retryAfterMs: number): number {
  return Math.min(LONGEST_RETRY_AFTER_MS, Math.max(SHORTEST_RETRY_AFTER_MS, Math.ceil(retryAfterMs)));
}
