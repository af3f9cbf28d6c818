import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { WordPiece } from '../embed/wordpiece.ts';
import { wrongAt } from './calibration.ts';
import type { Floats, WholeNumbers } from './inference-protocol.ts';
import { InferenceThread, type NeuralLogger } from './inference-thread.ts';
import { RecentlyUsed } from './recently-used.ts';
import { parseVerifierManifest, type ThresholdName, type VerifierManifest } from './verifier-manifest.ts';

/** What a neural verifier says of two texts. */
export interface Opinion {
  /** Logit of "the same", the lower of both orders. */
  logit: number;
  /** Probability that they are not the same, by the shipped calibration, in [0, 1]. */
  wrong: number;
  /** Whether it is sure enough for a `paraphrase`. */
  same: boolean;
}

export interface CrossEncoderOptions {
  /** The model's folder, with its manifest.json. */
  model: URL;
  /** The vocabulary's text, or its file; by default the file that the manifest names. Must be the one of the manifest. */
  vocabulary?: string | URL;
  /** Which of the manifest's thresholds makes a pair the same. */
  threshold?: ThresholdName;
  /** Pairs that may wait; one more gets null at once. */
  maxWaiting?: number;
  /** Pairs whose opinions are remembered. */
  maxRemembered?: number;
  logger: NeuralLogger;
}

const MAX_REMEMBERED = 10_000;
/** [CLS] and [SEP] of BERT's uncased vocabulary. */
const START = 101;
const END = 102;

/**
 * A small neural model that reads two texts together and says whether they ask for the same. Runs in a thread of its own; every
 * question has a deadline, and whoever gets no opinion by then decides without one.
 */
export class CrossEncoder {
  /** `id/version` of the model. */
  readonly name: string;
  private readonly manifest: VerifierManifest;
  private readonly threshold: number;
  private readonly wordPiece: WordPiece;
  private readonly thread: InferenceThread;
  private readonly remembered: RecentlyUsed<Opinion>;

  private constructor(manifest: VerifierManifest, vocabulary: string, thread: InferenceThread, { threshold = 'balanced', maxRemembered = MAX_REMEMBERED }: CrossEncoderOptions) {
    this.name = manifest.name;
    this.manifest = manifest;
    this.threshold = manifest.thresholds[threshold];
    this.wordPiece = new WordPiece(vocabulary);
    this.thread = thread;
    this.remembered = new RecentlyUsed(maxRemembered);
  }

  /** Null where the runtime is not installed or the model is not the one that its manifest describes; the logger is told why. */
  static async open(options: CrossEncoderOptions): Promise<CrossEncoder | null> {
    const { model: folder, logger, maxWaiting } = options;
    try {
      const manifest = parseVerifierManifest(await readFile(new URL('manifest.json', folder), 'utf8'));
      const { model, vocabulary } = manifest.files;
      const pieces = await vocabularyText(options.vocabulary ?? new URL(vocabulary.file, folder), vocabulary.sha256);
      const { thread } = await InferenceThread.open({ model: new URL(model.file, folder), sha256: model.sha256, logger, ...(maxWaiting !== undefined && { maxWaiting }) });
      return new CrossEncoder(manifest, pieces, thread, options);
    } catch (error) {
      logger.warn({ model: folder.href, reason: error instanceof Error ? error.message : String(error) }, 'there is no neural verifier: paraphrases are decided by their words alone');
      return null;
    }
  }

  /**
   * One opinion for each pair, in order, within `deadlineMs` from now; the same whichever of the two texts comes first, and whichever pairs are asked along with it.
   * Null for a pair that got none by the deadline, that is too long for the model, or that has a word the model cannot see.
   */
  opinions(pairs: readonly (readonly [string, string])[], deadlineMs: number, signal?: AbortSignal): Promise<(Opinion | null)[]> {
    return Promise.all(pairs.map((pair) => this.opinion(pair, { deadlineMs, signal })));
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private async opinion([one, other]: readonly [string, string], { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal | undefined }): Promise<Opinion | null> {
    const [a, b] = [this.visiblePieces(one), this.visiblePieces(other)];
    if (a === null || b === null) return null;
    const [first, second] = a.join(' ') <= b.join(' ') ? [a, b] : [b, a];
    const key = `${first.join(' ')}|${second.join(' ')}`;
    const known = this.remembered.get(key);
    if (known !== undefined) return known;
    const keep = ({ logit }: Readonly<Record<string, Floats>>): Opinion | null => {
      const opinion = this.opinionAt(Math.min(...(logit?.data ?? [])));
      if (opinion !== null) this.remembered.set(key, opinion);
      return opinion;
    };
    const { outputs } = await this.thread.run({ feeds: bothOrders(first, second), fetch: ['logit'] }, { deadlineMs, signal, late: keep });
    return outputs === null ? null : keep(outputs);
  }

  /** Null where the model would not see the whole text: two texts that differ in an unknown word alone look the same to it. */
  private visiblePieces(text: string): number[] | null {
    const ids = this.wordPiece.encode(text, this.manifest.maxPieces + 1);
    return ids.length === 0 || ids.length > this.manifest.maxPieces || ids.includes(this.wordPiece.unknownId) ? null : ids;
  }

  private opinionAt(logit: number): Opinion | null {
    if (!Number.isFinite(logit)) return null;
    return { logit, wrong: wrongAt(this.manifest.calibration, logit), same: logit >= this.threshold };
  }
}

async function vocabularyText(source: string | URL, sha256: string): Promise<string> {
  const text = typeof source === 'string' ? source : await readFile(source, 'utf8');
  if (hash('sha256', text, 'hex') !== sha256) throw new Error('The vocabulary is not the one the manifest describes; fetch the repository again.');
  return text;
}

/**
 * [CLS] a [SEP] b [SEP] and [CLS] b [SEP] a [SEP], which are equally long. Never more pairs in one run: int8 weights are
 * quantised by the largest value of the whole run, and neighbours would move a pair's logit by .05.
 */
function bothOrders(a: readonly number[], b: readonly number[]): Record<'input_ids' | 'attention_mask' | 'token_type_ids', WholeNumbers> {
  const time = a.length + b.length + 3;
  const dims = [2, time];
  const types = new Int32Array(2 * time).fill(1).fill(0, 0, a.length + 2).fill(0, time, time + b.length + 2);
  return {
    input_ids: { dims, data: Int32Array.from([START, ...a, END, ...b, END, START, ...b, END, ...a, END]) },
    attention_mask: { dims, data: new Int32Array(2 * time).fill(1) },
    token_type_ids: { dims, data: types },
  };
}
