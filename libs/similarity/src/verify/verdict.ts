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
