import { disagreement, type Disagreement } from './agreement.ts';
import { align, MAX_EXPLAINED, type Alignment } from './alignment.ts';
import { analyse } from './analyse.ts';
import type { Analysis } from './analysis.ts';
import type { Lexicon } from './lexicon.ts';
import { compareOrder } from './order.ts';
import { placingDiffers } from './placing.ts';
import { sameText } from './same-text.ts';
import { difference, differs, mayStandFor, veto } from './vetoes.ts';
import { writingDiffers } from './written.ts';

/**
 * What makes two texts ask the same, from the surest to the least sure. `same_text`: equal but for case, white space, punctuation at the end.
 * `surface`: every difference is one of form (contraction, politeness, spelling, typo, the way a question begins). `synonym`: and some
 * words are replaced by synonyms. `paraphrase`: nothing speaks against it, and a neural verifier says so.
 */
export const VERDICT_KINDS = ['same_text', 'surface', 'synonym', 'paraphrase'] as const;
export type VerdictKind = (typeof VERDICT_KINDS)[number];

/** May the answer to one text be served for the other? Symmetric: the verdict on (a, b) is that on (b, a). */
export type Verdict =
  | { decision: 'same'; kind: Exclude<VerdictKind, 'paraphrase'>; /** For people: what decided. */ explanation: string }
  /** Nothing speaks against it, but words remain that nothing explains: a neural verifier may say that it is the same (`paraphrase`). */
  | { decision: 'open'; explanation: string }
  /** Something speaks against it, whatever a model says: "differs in number: 30 / 60". */
  | { decision: 'different'; explanation: string };

/** The verdict on two texts; see `compare`. */
export function verdictOf(a: string, b: string, lexicon: Lexicon): Verdict {
  return compare(analyse(a, lexicon), analyse(b, lexicon), lexicon);
}

/** The verdict on two analysed texts, the same whichever comes first. */
export function compare(first: Analysis, second: Analysis, lexicon: Lexicon): Verdict {
  const [a, b] = first.text <= second.text ? [first, second] : [second, first];
  const written = a.text === b.text ? null : writingDiffers(a.written, b.written, { spelled: a.spelled && b.spelled, mentions: a.mentions && b.mentions });
  if (written !== null) return { decision: 'different', explanation: written };
  if (a.normal === b.normal || a.text === b.text) {
    const same = sameText(a.text, b.text, (word) => lexicon.knows(word) && !lexicon.isName(word));
    if (same !== null) return same.same ? { decision: 'same', kind: 'same_text', explanation: same.explanation } : { decision: 'different', explanation: same.explanation };
  }
  const literal = a.literal ?? b.literal;
  if (literal !== null) return { decision: 'different', explanation: `${literal}: only the same words are the same` };
  const alignment = align(a, b, lexicon);
  if (Math.min(alignment.leftOfA.length, alignment.leftOfB.length) > MAX_EXPLAINED) return { decision: 'different', explanation: 'differs in most words' };
  const against = veto(a, b, alignment, lexicon);
  if (against !== null) return { decision: 'different', explanation: against };
  const samePrepositions = difference(a.prepositions, b.prepositions).every((only) => only.length === 0);
  const order = compareOrder(a.tokens, b.tokens, alignment.partners, lexicon, {
    mayMoveDay: a.asks.length > 0 && b.asks.length > 0,
    asksWho: [a, b].every(({ asks }) => asks[0] === 'who' || asks[0] === 'what'),
    samePrepositions,
  });
  const left = [...alignment.leftOfA, ...alignment.leftOfB];
  if (!order.agrees && order.certain && left.length === 0) return { decision: 'different', explanation: order.explanation };
  const disagrees = disagreement(a, b, alignment, order.agrees, lexicon);
  const placing = samePrepositions && a.placing !== null && b.placing !== null ? placingDiffers(a.placing, b.placing) : null;
  if (placing !== null) return { decision: 'different', explanation: placing };
  if (disagrees?.certain === true) return { decision: 'different', explanation: disagrees.explanation };
  if (left.length > 0) return { decision: 'open', explanation: differs('differs in words', alignment.leftOfA.map(({ text }) => text), alignment.leftOfB.map(({ text }) => text)) };
  const little = littleDifference(a, b, alignment, lexicon) ?? (order.agrees ? disagrees : { certain: false, explanation: order.explanation });
  if (little !== null) return { decision: little.certain ? 'different' : 'open', explanation: little.explanation };
  if (alignment.synonyms.length === 0) return { decision: 'same', kind: 'surface', explanation: 'same words, put another way' };
  const [x, y] = alignment.synonyms[0] ?? ['', ''];
  return { decision: 'same', kind: 'synonym', explanation: `same but for synonyms: ${[x, y].sort().join(' / ')}` };
}

/**
 * What two texts say differently that have all words of their matter in common. Mostly certain: a model that reads them sees hardly a difference, so it is
 * no help where a small word turns the sense. Null when nothing is different.
 */
function littleDifference(a: Analysis, b: Analysis, { tenses, renamed }: Alignment, lexicon: Lexicon): Disagreement | null {
  if (a.tokens.length === 0 || b.tokens.length === 0) return { certain: false, explanation: 'too few words to compare' };
  if (tenses[0] !== undefined || a.past !== b.past) return { certain: false, explanation: `differs in tense${tenses[0] === undefined ? '' : `: ${[...tenses[0]].sort().join(' / ')}`}` };
  const negations = a.negations.map((each) => { const [not, key = ''] = each.split(' '); return [not, renamed.get(key) ?? key].join(' ').trim(); });
  if (negations.join() !== b.negations.join()) return { certain: negatesOtherVerb(negations, b.negations, lexicon), explanation: differs('differs in what is negated', a.negations, b.negations) };
  let loosely: Disagreement | null = null;
  for (const [what, of] of LITTLE_WORDS) {
    const [onlyA, onlyB] = difference(of(a), of(b));
    // An infinitive that is not seen as one, for a typing error, has a `to` too many.
    const loose = what === 'preposition' && (onlyA.length === 0 || onlyB.length === 0) && [...onlyA, ...onlyB].every((each) => each === 'to' || each === 'at');
    if (onlyA.length + onlyB.length === 0) continue;
    const explanation = differs(`differs in ${what}`, onlyA, onlyB);
    if (!loose) return { certain: true, explanation };
    loosely = { certain: false, explanation };
  }
  if (loosely !== null) return loosely;
  const persons = (analysis: Analysis): string[] => (a.persons.includes('you') || b.persons.includes('you') || a.owners.includes('your') ? analysis.persons : analysis.persons.filter((each) => each !== 'i'));
  if (persons(a).join() !== persons(b).join()) return { certain: false, explanation: differs('differs in person', persons(a), persons(b)) };
  const [asksOfA, asksOfB] = difference(a.asks, b.asks);
  const [first = '', second = ''] = [asksOfA[0] ?? '', asksOfB[0] ?? ''].sort();
  if (asksOfA.length > 1 || asksOfB.length > 1 || (asksOfA.length + asksOfB.length > 0 && !mayStandFor(first, second, a, b))) {
    return { certain: (first === '' && second === 'whether') || first === 'obliged' || second === 'obliged', explanation: differs('asks', asksOfA, asksOfB) };
  }
  const whose = ownerReason(a, b);
  return whose === null ? null : { certain: a.makes || b.makes, explanation: whose };
}

/** "My card is not working" may negate `card` or `work`; "not to work and eat" is not "to work and not eat". Two negations are not none. */
function negatesOtherVerb(a: readonly string[], b: readonly string[], lexicon: Lexicon): boolean {
  const keys = difference(a, b).flat().map((each) => each.split(' ')[1] ?? '');
  return a.length !== b.length || (keys.length > 1 && keys.every((key) => lexicon.partsOfSpeech(key).startsWith('v')));
}

const LITTLE_WORDS: readonly [what: string, of: (analysis: Analysis) => readonly string[]][] = [
  ['extent', (analysis) => analysis.quantifiers],
  ['modality', (analysis) => analysis.modals],
  ['preposition', (analysis) => analysis.prepositions.filter((each) => each !== 'of')],
  ['choice', (analysis) => analysis.conjunctions.filter((each) => each !== 'and' && each !== 'but')],
];

/** Asks in which "the password" is one's own. */
const OWN_ASKS = new Set(['how', 'can', 'want', 'must', 'should']);
function ownerReason(a: Analysis, b: Analysis): string | null {
  const [onlyA, onlyB] = difference(a.owners, b.owners);
  if (onlyA.length + onlyB.length === 0) return null;
  const own = [...onlyA, ...onlyB].every((each) => each === 'my') && a.indefinite === b.indefinite && [a, b].every(({ asks }) => asks.every((ask) => OWN_ASKS.has(ask)));
  return own ? null : differs('differs in whose', onlyA, onlyB);
}
