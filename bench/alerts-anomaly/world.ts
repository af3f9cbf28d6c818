import { normal, randomFrom } from '../semantic/month-random.ts';

/** Five minutes: as fine as use is generated. */
export const STEP_MS = 300_000;
export const STEPS_AN_HOUR = 12;
const HOURS_A_WEEK = 168;
export const STEPS_A_WEEK = STEPS_AN_HOUR * HOURS_A_WEEK;
/** The last of them are watched; the others are what is known of a key before. */
export const WEEKS = 10;
export const WATCHED_WEEKS = 2;
export const STEPS = WEEKS * STEPS_A_WEEK;
export const FIRST_WATCHED = STEPS - WATCHED_WEEKS * STEPS_A_WEEK;

export const SIZES = [2, 3, 5, 10, 30] as const;
export const LENGTHS_MIN = [15, 60, 180, 720] as const;
export const KINDS = ['office', 'consumers', 'nightly job', 'now and then', 'growing', 'bursty', 'holidays', 'clock change', 'young'] as const;
export type Kind = (typeof KINDS)[number];

/** More use than usual, added to a key's own. Steps; `to` is exclusive. */
export interface Spike {
  from: number;
  to: number;
  size: number;
  lengthMin: number;
}

export interface SimulatedKey {
  kind: Kind;
  /** Tokens by step. */
  tokens: Float64Array;
  /** What was planted; null: nothing. */
  spike: Spike | null;
}

/** Keys of all kinds, some with a planted spike in the weeks that are watched. */
export function simulatedKeys(seed: number, ofEachKind: number): SimulatedKey[] {
  const random = randomFrom(seed);
  return KINDS.flatMap((kind) => Array.from({ length: ofEachKind }, () => simulatedKey(kind, random)));
}

function simulatedKey(kind: Kind, random: () => number): SimulatedKey {
  const level = 100_000 * 10 ** (2 * random()); // tokens an hour, when busy
  const born = kind === 'young' ? Math.floor(FIRST_WATCHED - STEPS_A_WEEK + 2 * STEPS_A_WEEK * random()) : 0;
  const expected = expectedOf(kind, level, born, random);
  const tokens = kind === 'now and then' ? jobs(level, random) : noisy(expected, kind === 'bursty' ? 0.7 : 0.25, random);
  return { kind, tokens, spike: random() < 0.7 ? plant(tokens, expected, born, random) : null };
}

/** Without chance: tokens by step. */
function expectedOf(kind: Kind, level: number, born: number, random: () => number): Float64Array {
  const phase = Math.floor(24 * random());
  const holidays = kind === 'holidays' ? [0, 1, 2].map(() => Math.floor(3 * 7 * random()) + (WEEKS - 3) * 7) : [];
  const growth = kind === 'growing' ? 1.1 + 0.15 * random() : 1; // a week
  return Float64Array.from({ length: STEPS }, (_, step) => {
    // In the ninth week clocks are changed: all people come an hour later.
    const shift = kind === 'clock change' && step >= 8.5 * STEPS_A_WEEK ? 1 : 0;
    const at = step / STEPS_AN_HOUR + phase - shift;
    const day = Math.floor(at / 24);
    const hour = at - 24 * day;
    const perHour = step < born ? 0 : rateOf(kind, day, hour) * (holidays.includes(day) ? 0.08 : 1);
    return (level * perHour * growth ** (step / STEPS_A_WEEK)) / STEPS_AN_HOUR;
  });
}

/** In [0, 1], by day and hour of the day. */
function rateOf(kind: Kind, day: number, hour: number): number {
  if (kind === 'now and then') return 0;
  if (kind === 'nightly job') return hour >= 2 && hour < 3.5 ? 1 : 0;
  if (kind === 'consumers' || kind === 'bursty') return 0.55 + 0.45 * Math.sin((2 * Math.PI * (hour - 9)) / 24);
  const isWorkday = ((day % 7) + 7) % 7 < 5;
  const busy = hour >= 8 && hour < 18 ? Math.sin((Math.PI * (hour - 7.5)) / 11) : 0;
  return 0.02 + (isWorkday ? 0.98 : 0.08) * busy;
}

/** Chance: a level that wanders from hour to hour, and requests that come when they like. */
function noisy(expected: Float64Array, sigma: number, random: () => number): Float64Array {
  let wander = 0;
  return expected.map((amount, step) => {
    if (step % STEPS_AN_HOUR === 0) wander = 0.7 * wander + Math.sqrt(1 - 0.7 ** 2) * sigma * normal(random);
    return amount * Math.exp(wander - sigma ** 2 / 2 + 0.3 * normal(random));
  });
}

/** Jobs at any hour, about two a day, of very different sizes. */
function jobs(level: number, random: () => number): Float64Array {
  const tokens = new Float64Array(STEPS);
  for (let step = 0; step < STEPS; step += 1) {
    if (random() >= 2 / (24 * STEPS_AN_HOUR)) continue;
    const length = 1 + Math.floor(6 * random());
    const amount = level * Math.exp(0.6 * normal(random));
    for (let i = step; i < Math.min(STEPS, step + length); i += 1) tokens[i] = (tokens[i] ?? 0) + amount / length;
  }
  return tokens;
}

/** Adds `size - 1` times what the key uses at that time of day, or, when it is quiet, half of what it uses on average. */
function plant(tokens: Float64Array, expected: Float64Array, born: number, random: () => number): Spike {
  const size = pick(SIZES, random);
  const lengthMin = pick(LENGTHS_MIN, random);
  const length = lengthMin / (60 / STEPS_AN_HOUR);
  const earliest = Math.max(FIRST_WATCHED, born + STEPS_AN_HOUR);
  const from = earliest + Math.floor((STEPS - earliest - length - STEPS_AN_HOUR) * random());
  let total = 0;
  let steps = 0;
  for (let i = 0; i < from; i += 1) if ((tokens[i] ?? 0) > 0) [total, steps] = [total + (tokens[i] ?? 0), steps + 1];
  const average = total / Math.max(1, steps);
  for (let i = from; i < from + length; i += 1) tokens[i] = (tokens[i] ?? 0) + (size - 1) * Math.max(expected[i] ?? 0, average / 2);
  return { from, to: from + length, size, lengthMin };
}

const pick = <T>(from: readonly T[], random: () => number): T => from[Math.floor(from.length * random())] as T;
