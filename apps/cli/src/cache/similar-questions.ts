import { Nearest, VERDICT_KINDS, type Quantised, type Verdict, type VerdictKind, type WrongRates } from '@deja/similarity';
import type { KeptQuestion, KeptQuestions } from './kept-questions.ts';
import type { Verdicts } from './verdicts.ts';

/** As the semantic-cache looks: so many neighbours, so near, and so many of them shown to the neural verifier. */
const CANDIDATES = 10;
export const FLOOR = 0.5;
const MOST_OPINIONS = 3;
/** Nothing is audited here. */
const NO_AUDIT = { auditShare: 0, random: 0.5 };

interface Match {
  question: KeptQuestion;
  kind: VerdictKind;
  /** Cosine. */
  similarity: number;
  explanation: string;
}

/** A kept question that would be answered alike, with its risk (`wrong` at most, `mean` expected), or why there is none. */
export type Similar = (Match & { wrong: number; mean: number }) | { reason: string };

export interface Question {
  text: string;
  vector: Quantised;
  partition: KeptQuestions;
  tenant: string;
  /** Public model. */
  model: string;
  nowMs: number;
}

export interface SimilarQuestionsParts {
  verdicts: Verdicts;
  /** Whether a neural verifier may say what words leave open. */
  neural: boolean;
  maxWrongRate: number;
  /** For each cache, what it has served so far. */
  rates: readonly WrongRates[];
}

/** About one question. */
interface Known {
  verdicts: Map<KeptQuestion, Verdict>;
  /** By the lines of the candidates. */
  matches: Map<string, Match[]>;
  served: Map<KeptQuestion, Similar>;
}

type Candidate = Readonly<{ item: KeptQuestion; cosine: number }>;

/** Search, verification and policy of the semantic-cache for several caches at once, which share what they hold. */
export class SimilarQuestions {
  readonly #parts: SimilarQuestionsParts;

  constructor(parts: SimilarQuestionsParts) {
    this.#parts = parts;
  }

  /** What each of these caches has for the question. Caches that serve the same kept question have the same object. */
  async find(question: Question, caches: readonly number[]): Promise<Map<number, Similar>> {
    const nearest = new Map(caches.map((n) => [n, new Nearest<KeptQuestion>({ limit: CANDIDATES, floor: FLOOR })]));
    question.partition.search(question.vector, FLOOR, (kept, cosine) => {
      let floor = 1;
      for (const [n, found] of nearest) {
        if ((kept.caches & (1 << n)) !== 0) found.offer(kept, cosine);
        floor = Math.min(floor, found.floor);
      }
      return floor;
    });
    // The caches hold much the same: what was found out about a candidate for one of them holds for the others.
    const known: Known = { verdicts: new Map(), matches: new Map(), served: new Map() };
    const answers = new Map<number, Similar>();
    for (const [n, { found }] of nearest) {
      const list = found.map(({ item }) => item.line).join(' ');
      const matches = known.matches.get(list) ?? (await this.#verify(question.text, found, known));
      known.matches.set(list, matches);
      answers.set(n, found.length === 0 ? { reason: 'no_candidate' } : this.#decide(question, n, matches, known));
    }
    return answers;
  }

  /** Those that ask the same, surest first. */
  async #verify(text: string, candidates: readonly Candidate[], { verdicts }: Known): Promise<Match[]> {
    const matches: Match[] = [];
    const open: Candidate[] = [];
    for (const candidate of candidates) {
      const verdict = verdicts.get(candidate.item) ?? this.#parts.verdicts.byWords(text, candidate.item.text);
      verdicts.set(candidate.item, verdict);
      if (verdict.decision === 'same') matches.push({ question: candidate.item, similarity: candidate.cosine, kind: verdict.kind, explanation: verdict.explanation });
      else if (verdict.decision === 'open') open.push(candidate);
    }
    if (matches.length === 0 && this.#parts.neural) matches.push(...(await this.#paraphrases(text, open.slice(0, MOST_OPINIONS))));
    return matches.sort((a, b) => VERDICT_KINDS.indexOf(a.kind) - VERDICT_KINDS.indexOf(b.kind) || b.similarity - a.similarity);
  }

  async #paraphrases(text: string, open: readonly Candidate[]): Promise<Match[]> {
    const opinions = await this.#parts.verdicts.opinions(open.map(({ item }) => [text, item.text] as const));
    return open.flatMap(({ item, cosine }, i): Match[] => {
      const opinion = opinions[i];
      if (!opinion?.same) return [];
      return [{ question: item, similarity: cosine, kind: 'paraphrase', explanation: `the same in other words, says the verifier (${((1 - opinion.wrong) * 100).toFixed(1)} %)` }];
    });
  }

  /** The surest that the bound lets through. */
  #decide({ tenant, model, nowMs }: Question, n: number, matches: readonly Match[], { served }: Known): Similar {
    const rates = this.#parts.rates[n];
    let reason = 'not_verified';
    for (const match of matches) {
      const asked = { tenant, model, entry: String(match.question.line), kind: match.kind, similarity: match.similarity };
      const decided = rates?.decide({ ...asked, maxWrongRate: this.#parts.maxWrongRate, auditShare: NO_AUDIT.auditShare }, { nowMs, random: NO_AUDIT.random });
      if (rates === undefined || decided === undefined) break;
      if (decided.decision === 'serve') {
        const similar = served.get(match.question) ?? { ...match, wrong: decided.wrong, mean: rates.assess(asked, nowMs).mean };
        served.set(match.question, similar);
        return similar;
      }
      reason = decided.reason ?? reason;
    }
    return { reason };
  }
}
