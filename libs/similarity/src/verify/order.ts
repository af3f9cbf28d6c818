import type { Token } from './analyse.ts';
import type { Lexicon } from './lexicon.ts';

/** Behind these it matters which of two stands where. */
const DIRECTIONS = new Set('from to before after than like by with without over under above below instead_of against through until since as'.split(' '));

export type OrderVerdict = { agrees: true } | { agrees: false; /** Certain enough to refuse. */ roles: boolean; explanation: string };

/**
 * Do the paired words play the same roles? Whole phrases may move ("at 5 pm for 4 people"), members of a pair joined by `and`, `or`, `versus` may
 * swap, a particle may move behind its object ("turn the lights off"); two nouns that swap, or a word behind another preposition, play other roles.
 * `partners`: index in b for each token of a, −1 for none.
 */
export function compareOrder(a: readonly Token[], b: readonly Token[], partners: Int16Array, lexicon: Lexicon): OrderVerdict {
  let moved: OrderVerdict = { agrees: true };
  for (const [i, x] of a.entries()) {
    const j = partners[i] ?? -1;
    const y = b[j];
    if (y === undefined) continue;
    const governors: [string, string] = [x.governor, y.governor];
    if (x.governor !== y.governor && !governors.every((governor) => governor === '' || governor === 'of') && !isTurnedCompound(a, b, partners, i)) {
      const roles = governors.some((governor) => DIRECTIONS.has(governor));
      if (roles || moved.agrees) moved = { agrees: false, roles, explanation: explainGovernors(x, governors) };
      if (roles) return moved;
    }
    for (let k = i + 1; k < a.length; k++) {
      const l = partners[k] ?? -1;
      const z = a[k];
      if (l < 0 || l > j || z === undefined || maySwap(a, b, [i, k], [j, l])) continue;
      const roles = isThing(x, lexicon) && isThing(z, lexicon);
      if (roles || moved.agrees) moved = { agrees: false, roles, explanation: explainSwap(x, z) };
      if (roles) return moved;
    }
  }
  return moved;
}

/** `i` < `k` in a, their partners the other way round in b. */
function maySwap(a: readonly Token[], b: readonly Token[], [i, k]: [number, number], [j, l]: [number, number]): boolean {
  const x = a[i];
  const z = a[k];
  const y = b[j];
  const w = b[l];
  if (x === undefined || z === undefined || y === undefined || w === undefined) return false;
  if ((x.kind === 'particle') !== (z.kind === 'particle') && countParticles(a) < 2 && countParticles(b) < 2) return true;
  if (turnsCompound(a, b, [i, k], [l, j]) || turnsCompound(b, a, [l, j], [i, k])) return true;
  if (k === i + 1 && j === l + 1 && isPlainPair(a, k) && isPlainPair(b, j)) return true;
  const stayedPut = x.governor === y.governor && z.governor === w.governor;
  return stayedPut && x.governor !== z.governor && !(x.kind === 'number' && z.kind === 'number' && (x.governor === '' || z.governor === ''));
}

/** "Weather forecast" in one text, "forecast for the weather" in the other: first word and head, then head and first word. */
function turnsCompound(compound: readonly Token[], phrase: readonly Token[], [first, head]: [number, number], [headOfPhrase, last]: [number, number]): boolean {
  return head === first + 1 && last === headOfPhrase + 1 && compound[head]?.adjacent === true && compound[head + 1]?.adjacent !== true && compound[first]?.adjacent !== true
    && phrase[last]?.governor === 'of' && phrase[last]?.ofPossession === true && phrase[last]?.adjacent === false && phrase[last + 1]?.adjacent !== true;
}

/** The word's preposition changed only because its compound was turned round. */
function isTurnedCompound(a: readonly Token[], b: readonly Token[], partners: Int16Array, i: number): boolean {
  const j = partners[i] ?? -1;
  return [[i, i + 1], [i - 1, i]].some(([first = 0, second = 0]) => {
    const [y, z] = [partners[first] ?? -1, partners[second] ?? -1];
    return (j === y || j === z) && y === z + 1 && (turnsCompound(a, b, [first, second], [z, y]) || turnsCompound(b, a, [z, y], [first, second]));
  });
}

const countParticles = (tokens: readonly Token[]): number => tokens.reduce((sum, token) => sum + (token.kind === 'particle' ? 1 : 0), 0);
/** Two single words joined, with nothing before or behind that belongs to one of them. */
const isPlainPair = (tokens: readonly Token[], second: number): boolean => tokens[second]?.joined === true && tokens[second - 1]?.adjacent === false && tokens[second + 1]?.adjacent !== true;
const isThing = (token: Token, lexicon: Lexicon): boolean => token.kind !== 'particle' && (token.kind !== 'content' || token.name || token.unknown || !/^[vr]/.test(lexicon.partsOfSpeech(token.key)));

const explainSwap = (x: Token, z: Token): string => `differs in order: ${[`${x.text} … ${z.text}`, `${z.text} … ${x.text}`].sort().join(' / ')}`;
const explainGovernors = (x: Token, governors: readonly string[]): string => `different direction: ${governors.map((governor) => `${governor} ${x.key}`.trim().replaceAll('_', ' ')).sort().join(' / ')}`;
