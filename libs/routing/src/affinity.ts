import { FIRST, ORDINARY, precedes, type Ranked } from './lazy-order.ts';

/** FNV-1a over UTF-16 code units, 32 bits (Fowler, Noll, Vo; draft-eastlake-fnv). Not for secrets. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return hash >>> 0;
}

/**
 * A number in [0, 1) that depends on nothing but the two hashes, in place of a random one: weights then decide how many keys an item
 * gets, and taking an item away moves only the keys that were on it (weighted rendezvous hashing: Schindelhauer and Schomaker 2005).
 */
export function affinityDraw(keyHash: number, itemHash: number): number {
  return finalized(finalized(keyHash ^ itemHash) + Math.imul(keyHash, 0x9e3779b1)) / 2 ** 32;
}

/** The finalizer of MurmurHash3 (Appleby): every bit of the input changes about half of the bits of the result. */
function finalized(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The key by which weighted sampling without replacement sorts, smallest first: each place is then drawn among those left in
 * proportion to their weights (exponential keys: Efraimidis and Spirakis 2006). Of weight 0: among themselves by the draw.
 */
export const samplingKey = (draw: number, weight: number): number => (weight > 0 ? -Math.log(1 - draw) / weight : draw);

/** The one that takes this draw, each having its share of [0, 1); null where the shares leave room. */
export function drawnByShare<T>(items: readonly T[], shareOf: (item: T) => number, draw: number): T | null {
  let reached = 0;
  for (const item of items) {
    reached += shareOf(item);
    if (draw < reached) return item;
  }
  return null;
}

/** Nobody is passed over for load below this many calls in flight. */
const LOAD_FLOOR = 8;

/**
 * Gives the first place to the first that has no more than twice its share of the calls in flight, so that one busy key does not
 * heap up on one place (consistent hashing with bounded loads: Mirrokni, Thorup, Zadimoghaddam 2018). The others stay as they are.
 */
export function relieve(items: readonly Ranked<unknown>[]): void {
  let load = 0;
  let weight = 0;
  for (const item of items) {
    load += item.inFlight;
    weight += item.weight;
  }
  if (load <= LOAD_FLOOR) return;
  let first: Ranked<unknown> | null = null;
  for (const item of items) {
    const isRelieved = item.rank === ORDINARY && item.inFlight <= Math.max(LOAD_FLOOR, (2 * load * item.weight) / weight);
    if (isRelieved && (first === null || precedes(item, first))) first = item;
  }
  if (first !== null) first.rank = FIRST;
}
