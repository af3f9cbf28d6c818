import type { Kind } from './work.ts';

/** How requests follow one another, and what is asked of them. */
export type Load =
  /** One after another, in turns with all others; what is compared is a percentile with the same of the direct call. */
  | { how: 'one-by-one'; measure: 'durationsMs' | 'firstByteMs' }
  /** So many clients, each sending its next request when the answer is there. */
  | { how: 'closed'; clients: number }
  /** Begun by the clock. */
  | { how: 'open'; perSecond: number }
  /** So many streams at a time, each with pauses of 20 ms; what is compared is the longest gap in each. */
  | { how: 'streams'; clients: number };

export interface Case {
  name: string;
  title: string;
  kind: Kind;
  load: Load;
  /** Who has no cache that answers so is not measured. */
  outcome: 'MISS' | 'HIT-EXACT' | 'HIT-SEMANTIC';
}

const MISS = 'a miss in a scope without semantic entries';

export const CASES: readonly Case[] = [
  { name: 'miss', title: MISS, kind: 'whole', load: { how: 'one-by-one', measure: 'durationsMs' }, outcome: 'MISS' },
  { name: 'look-up-miss', title: 'a miss after a semantic look-up', kind: 'crowded', load: { how: 'one-by-one', measure: 'durationsMs' }, outcome: 'MISS' },
  { name: 'first-chunk', title: 'first chunk of a stream', kind: 'paced', load: { how: 'one-by-one', measure: 'firstByteMs' }, outcome: 'MISS' },
  { name: 'exact-hit', title: 'exact hit', kind: 'repeat', load: { how: 'one-by-one', measure: 'durationsMs' }, outcome: 'HIT-EXACT' },
  { name: 'semantic-hit', title: 'semantic hit', kind: 'reworded', load: { how: 'one-by-one', measure: 'durationsMs' }, outcome: 'HIT-SEMANTIC' },
  { name: 'miss-16', title: MISS, kind: 'whole', load: { how: 'closed', clients: 16 }, outcome: 'MISS' },
  { name: 'miss-64', title: MISS, kind: 'whole', load: { how: 'closed', clients: 64 }, outcome: 'MISS' },
  { name: 'exact-hit-16', title: 'exact hit', kind: 'repeat', load: { how: 'closed', clients: 16 }, outcome: 'HIT-EXACT' },
  { name: 'stream-16', title: 'a stream of 18 events, in one go', kind: 'stream', load: { how: 'closed', clients: 16 }, outcome: 'MISS' },
  { name: 'open-200', title: MISS, kind: 'whole', load: { how: 'open', perSecond: 200 }, outcome: 'MISS' },
  { name: 'open-500', title: MISS, kind: 'whole', load: { how: 'open', perSecond: 500 }, outcome: 'MISS' },
  { name: 'open-1000', title: MISS, kind: 'whole', load: { how: 'open', perSecond: 1000 }, outcome: 'MISS' },
  { name: 'streams-64', title: 'a stream of 18 events, one every 20 ms', kind: 'steady', load: { how: 'streams', clients: 64 }, outcome: 'MISS' },
];

/** How long is measured. */
export interface Effort {
  name: 'full' | 'smoke';
  warmUpMs: number;
  /** Each measures every case with everybody; what is shown are medians of them. */
  rounds: number;
  /** Within a round, one after another. */
  turns: number;
  /** Requests in a turn; a third of it where a stream takes as long as the provider paces it. */
  perTurn: number;
  /** After each turn, so that what one leaves to be done later does not fall on the next. */
  pauseMs: number;
  closedMs: number;
  openMs: number;
  /** In the scope of the semantic look-ups. */
  entries: number;
  /** How long is waited at most for what a gateway does after its answers, and how long it has to do nothing. */
  idleMs: number;
  idleWindowMs: number;
  /** Cases that there is no time for. */
  without: readonly string[];
}

export const FULL: Effort = {
  name: 'full', warmUpMs: 15_000, rounds: 3, turns: 5, perTurn: 150, pauseMs: 200, closedMs: 4000, openMs: 5000, entries: 10_000, idleMs: 30_000, idleWindowMs: 500, without: [],
};
export const SMOKE: Effort = {
  name: 'smoke', warmUpMs: 3000, rounds: 1, turns: 3, perTurn: 30, pauseMs: 50, closedMs: 1000, openMs: 1000, entries: 400, idleMs: 1500, idleWindowMs: 250, without: ['stream-16', 'open-200', 'open-1000'],
};
