import { readLexicon, verdictOf, type VerdictKind } from '@deja/similarity';

/** The strict verdict on two texts by their numbers, null where they are not the same; each pair is read once. */
export async function openVerdicts(texts: readonly string[]): Promise<(a: number, b: number) => VerdictKind | null> {
  const lexicon = await readLexicon(new URL('../../models/lexicon/', import.meta.url));
  const known = new Map<number, VerdictKind | null>();
  return (a, b) => {
    const pair = Math.min(a, b) * texts.length + Math.max(a, b);
    const before = known.get(pair);
    if (before !== undefined) return before;
    const verdict = verdictOf(texts[a] ?? '', texts[b] ?? '', lexicon);
    const kind = verdict.decision === 'same' ? verdict.kind : null;
    known.set(pair, kind);
    return kind;
  };
}
