import { setTimeout as delay } from 'node:timers/promises';

/** Asks `probe` until it answers something other than null; null when `deadlineMs` (from now) passed first. */
export async function poll<T>(probe: () => Promise<T | null> | T | null, options: { deadlineMs: number; everyMs?: number }): Promise<T | null> {
  const end = Date.now() + options.deadlineMs;
  for (;;) {
    const answer = await probe();
    if (answer !== null) return answer;
    if (Date.now() >= end) return null;
    await delay(options.everyMs ?? 20);
  }
}
