import type { Settings } from '@deja/contracts';
import { pauseMs, ROUNDING_MS, type Health } from './health.ts';

export type BreakerRules = Settings['breaker'];

/** How the latest calls of one deployment or credential went. Calls and failures add up to the same whichever replica counts them. */
export interface CallWindow {
  /** Of each Unix second, oldest first: calls that ended in it, and how many of them failed. */
  seconds: [second: number, calls: number, failures: number][];
  /** Failures since the last call that went well. */
  failuresInARow: number;
  /** Calls that began before are not counted, Unix ms: they were under way when it was not healthy yet. */
  sinceMs: number;
}

/** One call that says whether what was called works. */
export interface JudgedCall {
  beganMs: number;
  endedMs: number;
  failed: boolean;
}

/** A circuit breaker: closed without `health`, open until `health.untilMs`, half-open from then on. */
export interface Breaker {
  health: Health | null;
  window: CallWindow;
}

export const EMPTY_WINDOW: CallWindow = { seconds: [], failuresInARow: 0, sinceMs: 0 };

/**
 * The breaker after one more call. It depends on the calls alone, not on when or in which batches they are heard of.
 *
 * While it is open, and for calls that began before its pause was over, nothing changes: what was under way together fails together,
 * and neither it nor what still went well says anything of the time after. The first call that began after the pause decides.
 */
export function breakerAfter({ health, window }: Breaker, call: JudgedCall, rules: BreakerRules, random: () => number): Breaker {
  const counted = windowAfter(window, call, rules.window_s);
  if (health?.trouble === 'failing') {
    if (call.beganMs + ROUNDING_MS < health.untilMs) return { health, window: counted };
    if (!call.failed) return { health: null, window: windowAfter({ ...EMPTY_WINDOW, sinceMs: call.beganMs }, call, rules.window_s) };
    return { health: opened(health, call, rules, random), window: counted };
  }
  if (!call.failed || !isTripped(counted, rules)) return { health, window: counted };
  const failing = opened(null, call, rules, random);
  // A rate limit of a deployment without credentials may last longer.
  return { health: health === null || failing.untilMs > health.untilMs ? failing : health, window: counted };
}

function opened(before: Health | null, { endedMs }: JudgedCall, { pause_ms: [firstMs, mostMs] }: BreakerRules, random: () => number): Health {
  const earlier = before?.failures ?? 0;
  return { trouble: 'failing', failures: earlier + 1, failedAtMs: endedMs, untilMs: endedMs + pauseMs({ firstMs, mostMs }, earlier, random) };
}

function isTripped(window: CallWindow, { min_failures: minFailures, error_rate: errorRate }: BreakerRules): boolean {
  const { calls, failures } = countsOf(window, -Infinity);
  return window.failuresInARow >= minFailures || (failures >= minFailures && failures / calls >= errorRate);
}

/** The window with one more call, and without the seconds that are too old by then. */
export function windowAfter(window: CallWindow, { beganMs, endedMs, failed }: JudgedCall, windowS: number): CallWindow {
  if (beganMs < window.sinceMs) return window;
  const second = Math.floor(endedMs / 1000);
  const oldest = Math.max(second, window.seconds.at(-1)?.[0] ?? 0) - windowS + 1;
  const seconds = window.seconds.filter(([of]) => of >= oldest && of !== second);
  if (second >= oldest) {
    const [, calls, failures] = window.seconds.find(([of]) => of === second) ?? [second, 0, 0];
    const place = seconds.findIndex(([of]) => of > second);
    seconds.splice(place === -1 ? seconds.length : place, 0, [second, calls + 1, failures + (failed ? 1 : 0)]);
  }
  return { ...window, seconds, failuresInARow: failed ? window.failuresInARow + 1 : 0 };
}

/** Calls and failures that ended in that second or later. */
export function countsOf({ seconds }: CallWindow, fromSecond: number): { calls: number; failures: number } {
  const counts = { calls: 0, failures: 0 };
  for (const [second, calls, failures] of seconds) {
    if (second < fromSecond) continue;
    counts.calls += calls;
    counts.failures += failures;
  }
  return counts;
}
