/** What is known of the operations received in one quarter of an hour. */
export interface QuarterFacts {
  /** As gateways counted them. */
  accepted: number;
  /** In the ledger. */
  recorded: number;
  /** Open, on the queue or on a living gateway's disk; null: nobody knows how many. */
  onTheWay: number | null;
  /** Whether all gateways of that time count what they accept, as far as is known. */
  isCounted: boolean;
  /** What the comparison before this one found. */
  before: Pick<Verdict, 'seenMissing' | 'seenSurplus'>;
}

export interface Verdict {
  /** As far as it explains what is not recorded. */
  onTheWay: number;
  /** More than was accepted, where not all of that was counted. */
  unsure: number;
  /** As this comparison alone has it. */
  seenMissing: number;
  seenSurplus: number;
  /** Accepted, and not to be found; recorded, and never accepted. Twice in a row: what moves while it is counted is in two places, or in none. */
  missing: number;
  surplus: number;
}

export function verdictOf({ accepted, recorded, onTheWay, isCounted, before }: QuarterFacts): Verdict {
  const short = Math.max(0, accepted - recorded);
  const over = Math.max(0, recorded - accepted);
  const explained = Math.min(short, onTheWay ?? short);
  const seenMissing = short - explained;
  const seenSurplus = isCounted ? over : 0;
  return {
    onTheWay: explained,
    unsure: over - seenSurplus,
    seenMissing,
    seenSurplus,
    missing: Math.min(seenMissing, before.seenMissing),
    surplus: Math.min(seenSurplus, before.seenSurplus),
  };
}

/** A quarter is watched when somebody looked soon after it began, ms. */
const SOON_MS = 120_000;

/** Whether what was recorded beyond what was accepted is one too many: of a quarter that nobody watched, or in which there was a gateway of an earlier version, it says nothing. */
export const isCounted = ({ atMs, watchedFromMs, uncounted }: { atMs: number; watchedFromMs: number | null; uncounted: boolean }): boolean =>
  watchedFromMs !== null && watchedFromMs <= atMs + SOON_MS && !uncounted;
