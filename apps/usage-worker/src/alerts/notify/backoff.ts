const FIRST_MS = 10_000;
const LONGEST_MS = 30 * 60_000;
/** Who does not listen for a day is told no more of it. */
const GIVE_UP_MS = 24 * 3_600_000;
/** Who made a test has looked by then. */
const GIVE_UP_TEST_MS = 60_000;

/** How long to wait after `attempts` tries, the first of them at `beganAtMs`; null: it is given up. `random` in [0, 1) spreads tries that failed together. Milliseconds. */
export function pauseAfter(attempts: number, beganAtMs: number, nowMs: number, random: number): number | null {
  if (nowMs - beganAtMs >= GIVE_UP_MS) return null;
  return Math.round(Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempts - 1, 20)) * (0.75 + random / 2));
}

/** The same for a test: no try begins later than a minute after the first. */
export function pauseOfTest(attempts: number, beganAtMs: number, nowMs: number, random: number): number | null {
  const pauseMs = pauseAfter(attempts, beganAtMs, nowMs, random);
  return pauseMs === null || nowMs + pauseMs - beganAtMs > GIVE_UP_TEST_MS ? null : pauseMs;
}
