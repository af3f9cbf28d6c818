/** What Redis and the ledger said of one account in one round, nano-USD. */
export interface Sample {
  /** Unix ms. */
  atMs: number;
  /** Read before `redis`: what is settled between the two is then missing here, and not there. */
  ledger: bigint;
  redis: bigint;
}

export interface Patience {
  /** Money that was settled longer ago is in the ledger, unless the gateway that has its record died. */
  recordedMs: number;
  /** An excess that has lasted for so long is no record of a dead gateway on its way into the ledger. */
  windowMs: number;
}

/**
 * What to add to an account's `spent` in Redis, nano-USD; `samples` oldest first, the last one is of now.
 *
 * Redis knows what is settled before the ledger does. Less than the ledger has is therefore wrong, and is raised at once. More may only be
 * on its way: an excess is what a sample of Redis says beyond the ledger of a later one, and the least that was seen over the whole
 * window is taken off. Money that is spent between two samples makes an excess look smaller, never larger.
 */
export function correctionOf(samples: readonly Sample[], { recordedMs, windowMs }: Patience): bigint {
  const first = samples.at(0);
  const now = samples.at(-1);
  if (first === undefined || now === undefined) return 0n;
  if (now.redis < now.ledger) return now.ledger - now.redis;
  if (now.atMs - first.atMs < windowMs) return 0n;
  let least = now.redis - now.ledger;
  for (const sample of samples) {
    const later = samples.find(({ atMs }) => atMs - sample.atMs >= recordedMs);
    if (later === undefined) break; // what is settled by then may not be recorded yet
    const excess = sample.redis - later.ledger;
    if (excess < least) least = excess;
  }
  return least > 0n ? -least : 0n;
}

/** The samples to judge the next one with: no more than the window needs. */
export function keptOf(samples: readonly Sample[], { windowMs }: Patience): Sample[] {
  const now = samples.at(-1);
  if (now === undefined) return [];
  const begin = samples.findLastIndex(({ atMs }) => now.atMs - atMs >= windowMs);
  return samples.slice(Math.max(0, begin));
}
