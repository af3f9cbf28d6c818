/**
 * Every constant of overload protection, with its reason (docs/overload.md). What an operator may set is in the environment:
 * DEJA_OVERLOAD, DEJA_OVERLOAD_LATENESS_MS, DEJA_OVERLOAD_IN_FLIGHT.
 */

/** How often the lateness of the event loop is looked at, ms. 50 looks a second cost nothing to speak of, and tell of a loop that is 50 ms late within four. */
export const LOOK_EVERY_MS = 20;

/** The smallest of so many looks counts: one pause of garbage collection, or one large body, makes one look late, and refuses nobody. */
export const LOOKS = 3;

/** A loop that has been late for less, ms, works off a burst: whoever sends a hundred requests at once wants a hundred answers, and waits for them. */
export const PATIENCE_MS = 1000;

export const LIMIT = {
  /** Before anything is known: more than one turn of the event loop takes, so that a restart under load refuses nobody before it has looked. */
  first: 2048,
  /** So many are always admitted, else nothing would show that it could be more. About 15 ms of work. */
  least: 16,
  /** A loop that is never late needs no bound of its own; this one keeps its way down short. */
  most: 8192,
} as const;

/** Of the bound on lateness: below this share the loop is calm and the limit grows; between it and the bound the limit stays. The gap keeps it from swinging. */
export const CALM_SHARE = 0.3;

/** A look that is late takes away at least a twentieth of the limit, and at most three tenths, however late it was: one look may be wrong. */
export const SHRINK = { least: 0.95, most: 0.7 } as const;

/** A calm look adds a tenth and one: from the least limit to the first one in less than a second. */
export const GROWTH = 0.1;

/** Of every bound, what requests of priority `batch` may fill. */
export const BATCH_SHARE = 0.5;

/** Of a bound: below this load nobody is refused, whatever their priority, so that it need not be known. Not above BATCH_SHARE. */
export const PRIORITY_MATTERS_SHARE = 0.5;

/** Admin calls at once. A console and some scripts use a dozen; they are few, short, and must get through while clients are refused. */
export const ADMIN_IN_FLIGHT = 64;

/** When those who were refused are to come back, ms: spread, so that they do not come back together. */
export const RETRY_AFTER_MS = { least: 1000, most: 3000 } as const;
