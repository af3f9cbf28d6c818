import type { Token } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';

const isAmount = (token: Token): boolean => token.kind === 'number' || token.kind === 'unit';
const SOFT_GOVERNORS = new Set(['', 'of']);
const CONDITIONS = new Set(['if', 'while', 'because', 'although', 'once']);
/** Behind these it matters which of two stands where. */
const DIRECTIONS = new Set('from to before after than like by with without over under above below instead_of against through until since as'.split(' '));

export interface OrderContext {
  /** Both ask something, and a day may stand anywhere in a question. */
  mayMoveDay: boolean;
  /** Asks who or what: before the verb stands who does it, behind it to whom. */
  asksWho: boolean;
  samePrepositions: boolean;
}

export type OrderVerdict = { agrees: true } | { agrees: false; /** Certain enough to refuse if all words are the same. */ certain: boolean; explanation: string };

/**
 * Do the paired words play the same roles? Whole phrases may move ("at 5 pm for 4 people"), members of a pair joined by `and`, `or`, `versus` may
 * swap, a particle may move behind its object ("turn the lights off"); two nouns that swap, or a word behind another preposition, play other roles.
 * `partners`: index in b for each token of a, −1 for none.
 */
export function compareOrder(a: readonly Token[], b: readonly Token[], partners: Int16Array, lexicon: Lexicon, { mayMoveDay, asksWho, samePrepositions }: OrderContext): OrderVerdict {
  let moved: OrderVerdict = { agrees: true };
  for (const [i, x] of a.entries()) {
    const j = partners[i] ?? -1;
    const y = b[j];
    if (y === undefined) continue;
    const governors: [string, string] = [x.governor, y.governor];
    if (x.governor !== y.governor && !governors.every((governor) => governor === '' || governor === 'of') && !isTurnedCompound(a, b, partners, i)) {
      const roles = governors.every((governor) => DIRECTIONS.has(governor)) || (samePrepositions && governors.some((governor) => DIRECTIONS.has(governor)));
      if (roles) return { agrees: false, certain: true, explanation: explainGovernors(x, governors) };
      if (moved.agrees) moved = { agrees: false, certain: governors.some((governor) => CONDITIONS.has(governor)), explanation: explainGovernors(x, governors) };
    }
    for (let k = i + 1; k < a.length; k++) {
      const l = partners[k] ?? -1;
      const z = a[k];
      if (l < 0 || l > j || z === undefined || maySwap(a, b, [i, k], [j, l], mayMoveDay, lexicon)) continue;
      const roles = isThing(x, lexicon) ? isThing(z, lexicon) || (asksWho && x.governor === '') : asksWho && z.governor === '' && isThing(z, lexicon);
      if (roles) return { agrees: false, certain: true, explanation: explainSwap(x, z) };
      // A model that reads the same words in another order sees hardly a difference.
      if (moved.agrees || !moved.certain) moved = { agrees: false, certain: true, explanation: explainSwap(x, z) };
    }
  }
  return moved;
}

/** `i` < `k` in a, their partners the other way round in b. */
function maySwap(a: readonly Token[], b: readonly Token[], [i, k]: [number, number], [j, l]: [number, number], mayMoveDay: boolean, lexicon: Lexicon): boolean {
  const x = a[i];
  const z = a[k];
  const y = b[j];
  const w = b[l];
  if (x === undefined || z === undefined || y === undefined || w === undefined) return false;
  if ((x.kind === 'particle') !== (z.kind === 'particle') && countParticles(a) < 2 && countParticles(b) < 2) return true;
  for (const [first, second] of [[i, j], [k, l]] as const) {
    if (mayMoveDay && isOnlyDay(a, first) && isOnlyDay(b, second)) return true;
    if (isOnlyAmount(a, first) && isOnlyAmount(b, second) && [...a, ...b].every((token) => isAmount(token) ? SOFT_GOVERNORS.has(token.governor) : true)) return true;
  }
  if ((isThing(z, lexicon) && turnsCompound(a, b, [i, k], [l, j])) || (isThing(x, lexicon) && turnsCompound(b, a, [l, j], [i, k]))) return true;
  if (k === i + 1 && j === l + 1 && isPlainPair(a, k) && isPlainPair(b, j)) return true;
  const stayedPut = x.governor === y.governor && z.governor === w.governor;
  return stayedPut && x.governor !== z.governor && !(x.kind === 'number' && z.kind === 'number' && (x.governor === '' || z.governor === ''));
}

/**
 * "Banana bread recipe" in one text, "recipe for banana bread" in the other: the words from `first` up to the head, and the head with the same words
 * behind `of` or `for`; `last` is what became of `first`.
 */
function turnsCompound(compound: readonly Token[], phrase: readonly Token[], [first, head]: [number, number], [headOfPhrase, last]: [number, number]): boolean {
  if (head <= first || last <= headOfPhrase || compound[head + 1]?.adjacent === true || phrase[headOfPhrase + 1]?.adjacent === true) return false;
  for (let i = first + 1; i <= head; i++) if (compound[i]?.adjacent !== true) return false;
  for (let i = headOfPhrase + 1; i <= last; i++) if (phrase[i]?.governor !== 'of' || (i > headOfPhrase + 1 && phrase[i]?.adjacent !== true)) return false;
  return true;
}

/** The word's preposition changed only because its compound was turned round. */
function isTurnedCompound(a: readonly Token[], b: readonly Token[], partners: Int16Array, i: number): boolean {
  const j = partners[i] ?? -1;
  for (let k = 0; k < a.length; k++) {
    const l = partners[k] ?? -1;
    if (l < 0 || (k > i) === (l > j)) continue;
    const [first, head, headOfB, last] = k > i ? [i, k, l, j] : [k, i, j, l];
    if (turnsCompound(a, b, [first, head], [headOfB, last]) || turnsCompound(b, a, [headOfB, last], [first, head])) return true;
  }
  return false;
}

/** An amount of something may stand before or behind it: "10 minute timer", "timer for 10 minutes". */
function isOnlyAmount(tokens: readonly Token[], i: number): boolean {
  const number = tokens[i]?.kind === 'unit' ? i - 1 : i;
  return tokens[number]?.kind === 'number' && tokens[number + 1]?.kind === 'unit' && tokens.every((token, at) => token.kind !== 'number' || at === number);
}

/** The only day or time of day may stand anywhere in a question: "today's weather", "the weather today". */
const isOnlyDay = (tokens: readonly Token[], i: number): boolean => tokens[i]?.kind === 'calendar' && tokens[i].governor === '' && tokens.every((token, at) => token.kind !== 'calendar' || at === i);

const countParticles = (tokens: readonly Token[]): number => tokens.reduce((sum, token) => sum + (token.kind === 'particle' ? 1 : 0), 0);
/** Two single words joined, with nothing before or behind that belongs to one of them. */
const isPlainPair = (tokens: readonly Token[], second: number): boolean => tokens[second]?.joined === true && tokens[second - 1]?.adjacent === false && tokens[second + 1]?.adjacent !== true;
const isThing = (token: Token, lexicon: Lexicon): boolean => token.kind !== 'particle' && (token.kind !== 'content' || token.name || token.unknown || token.determined || !/^[vr]/.test(lexicon.partsOfSpeech(token.key)));

const explainSwap = (x: Token, z: Token): string => `differs in order: ${[`${x.text} … ${z.text}`, `${z.text} … ${x.text}`].sort().join(' / ')}`;
const explainGovernors = (x: Token, governors: readonly string[]): string => `different direction: ${governors.map((governor) => `${governor} ${x.text}`.trim().replaceAll('_', ' ')).sort().join(' / ')}`;
