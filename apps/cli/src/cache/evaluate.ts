import type { Readable } from 'node:stream';
import { eligibility, normaliseText } from '@deja/cache-key';
import type { StaticEmbedder } from '@deja/similarity';
import { BadLines } from './bad-lines.ts';
import { BALANCED, STRICT, type ScoredPair } from './evaluation.ts';
import { evaluationReport, type EvaluationReport } from './evaluation-report.ts';
import { labelledPair, type LabelledPair } from './labelled-pair.ts';
import { fileLines } from './lines.ts';
import { FirstOf } from './merged-pairs.ts';
import { readModels, type Models } from './models.ts';

export interface EvaluateOptions {
  /** `-` is standard input; `.gz` is unpacked. */
  file: string;
  verification: 'strict' | 'balanced';
  /** How many wrongly served pairs the report has. */
  errors: number;
  /** Pairs to read at most; null: all. */
  limit: number | null;
}

/** The neural verifier holds 64 questions at once. */
const BATCH = 32;

/** `deja cache evaluate`. Rejects with a CliFailure where there is nothing to be read. `note` is told what the reader should know besides. */
export async function evaluate({ file, verification, errors, limit }: EvaluateOptions, stdin: Readable, note: (text: string) => Promise<void>): Promise<EvaluationReport> {
  const models = await readModels({ neural: verification === 'balanced' });
  try {
    if (models.whyNoVerifier !== null) await note(`There is no neural verifier, so there are no figures for balanced. ${models.whyNoVerifier}`);
    const served = models.verifier === null ? STRICT : BALANCED;
    const wrong = new FirstOf<ScoredPair>(errors, (x, y) => (y.similarity ?? -1) - (x.similarity ?? -1));
    const scored: ScoredPair[] = [];
    const bad = new BadLines();
    for await (const batch of batches(file, stdin, limit, bad)) {
      for (const pair of await score(batch, models)) {
        if (!pair.same && served(pair)) wrong.offer(pair);
        // Of all others the figures need no text.
        scored.push({ ...pair, a: '', b: '', verdict: { ...pair.verdict, explanation: '' } });
      }
    }
    bad.orNone(scored.length, file, 'a labelled pair');
    return evaluationReport({ pairs: scored, wrong: wrong.items, verifier: models.verifier, bad });
  } finally {
    await models.close();
  }
}

async function* batches(file: string, stdin: Readable, limit: number | null, bad: BadLines): AsyncGenerator<LabelledPair[]> {
  let batch: LabelledPair[] = [];
  let left = limit ?? Infinity;
  if (left <= 0) return;
  for await (const { number, text } of fileLines(file, stdin)) {
    const pair = text === null ? { problem: 'is too long' } : labelledPair(text);
    if ('problem' in pair) {
      bad.add(number, pair.problem);
      continue;
    }
    batch.push(pair);
    left--;
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
    if (left === 0) break;
  }
  if (batch.length > 0) yield batch;
}

async function score(pairs: readonly LabelledPair[], { verdicts, embedder }: Pick<Models, 'verdicts' | 'embedder'>): Promise<ScoredPair[]> {
  const scored = pairs.map((pair): ScoredPair => ({
    ...pair,
    verdict: verdicts.byWords(pair.a, pair.b),
    similarity: cosine(embedder, pair.a, pair.b),
    logit: null,
    paraphrase: false,
    eligible: isEligible(pair.a) && isEligible(pair.b),
  }));
  const open = scored.filter(({ verdict }) => verdict.decision === 'open');
  const opinions = await verdicts.opinions(open.map(({ a, b }) => [a, b] as const));
  for (const [i, pair] of open.entries()) {
    pair.logit = opinions[i]?.logit ?? null;
    pair.paraphrase = opinions[i]?.same ?? false;
  }
  return scored;
}

/** Of a request with just this turn, whose answer a whole tenant shares. */
function isEligible(text: string): boolean {
  const value = { messages: [{ role: 'user', content: text }] };
  return eligibility({ value, text: JSON.stringify(value) }, { byUser: false, flagged: false }).semantic;
}

/** null where one of the texts has no vector. */
function cosine(embedder: StaticEmbedder, a: string, b: string): number | null {
  const [x, y] = [embedder.embed(normaliseText(a)).vector, embedder.embed(normaliseText(b)).vector];
  return x === null || y === null ? null : Math.min(1, x.reduce((sum, each, i) => sum + each * (y[i] ?? 0), 0));
}
