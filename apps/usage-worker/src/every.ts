import { setTimeout as delay } from 'node:timers/promises';

/** Does `work` now and again `intervalMs` after each end of it, until `signal` aborts; resolves then. Failures go to `failed`. */
export async function every(intervalMs: number, signal: AbortSignal, work: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
  while (!signal.aborted) {
    await work().catch(failed);
    await delay(intervalMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
}
