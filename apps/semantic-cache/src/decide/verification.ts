import { analyse, compare, VERDICT_KINDS, type Analysis, type CrossEncoder, type Lexicon, type VerdictKind } from '@deja/similarity';
import type { SemanticPolicy } from '@deja/contracts';
import type { Candidate } from '../index/entry.ts';

/** A candidate that asks the same, and why. */
export interface Verified extends Candidate {
  kind: VerdictKind;
  /** For people. */
  explanation: string;
}

/** So many of the nearest are shown to the neural verifier: each costs milliseconds, and the right one is mostly among the first. */
const MOST_OPINIONS = 3;
const MOST_ANALYSES = 10_000;

/** Which candidates ask the same as a text: by words, and where these leave it open, by a neural verifier if the policy says so. */
export class Verification {
  private readonly lexicon: Lexicon;
  private readonly crossEncoder: () => CrossEncoder | null;
  private readonly analyses = new Map<string, Analysis>();

  constructor(parts: { lexicon: Lexicon; crossEncoder: () => CrossEncoder | null }) {
    this.lexicon = parts.lexicon;
    this.crossEncoder = parts.crossEncoder;
  }

  /** Surest first. `leftMs`: how long the neural verifier may take; when it is late or absent, words decide. */
  async verify(text: string, candidates: readonly Candidate[], { verification }: Pick<SemanticPolicy, 'verification'>, urgency: { leftMs: number; signal: AbortSignal }): Promise<Verified[]> {
    const asked = this.analysisOf(text);
    const verified: Verified[] = [];
    const open: Candidate[] = [];
    for (const candidate of candidates) {
      const verdict = compare(asked, this.analysisOf(candidate.entry.text), this.lexicon);
      if (verdict.decision === 'same') verified.push({ ...candidate, kind: verdict.kind, explanation: verdict.explanation });
      // Nothing is surer, and the same words are in a partition once.
      if (verdict.decision === 'same' && verdict.kind === 'same_text') return verified.slice(-1);
      else if (verdict.decision === 'open') open.push(candidate);
    }
    if (verified.length === 0 && verification === 'balanced') verified.push(...(await this.paraphrases(text, open.slice(0, MOST_OPINIONS), urgency)));
    return verified.sort((a, b) => VERDICT_KINDS.indexOf(a.kind) - VERDICT_KINDS.indexOf(b.kind) || b.similarity - a.similarity);
  }

  private async paraphrases(text: string, open: readonly Candidate[], { leftMs, signal }: { leftMs: number; signal: AbortSignal }): Promise<Verified[]> {
    const crossEncoder = this.crossEncoder();
    if (crossEncoder === null || open.length === 0 || leftMs <= 0) return [];
    const opinions = await crossEncoder.opinions(open.map(({ entry }) => [text, entry.text] as const), leftMs, signal);
    return open.flatMap((candidate, i) => {
      const opinion = opinions[i];
      if (!opinion?.same) return [];
      return [{ ...candidate, kind: 'paraphrase' as const, explanation: `the same in other words, says the verifier (${((1 - opinion.wrong) * 100).toFixed(1)} %)` }];
    });
  }

  /** Texts of entries are compared often, and come to the same each time; what is asked becomes an entry once it is answered. */
  private analysisOf(text: string): Analysis {
    const known = this.analyses.get(text);
    if (known !== undefined) return known;
    const analysis = analyse(text, this.lexicon);
    this.analyses.set(text, analysis);
    if (this.analyses.size > MOST_ANALYSES) this.analyses.delete(this.analyses.keys().next().value ?? '');
    return analysis;
  }
}
