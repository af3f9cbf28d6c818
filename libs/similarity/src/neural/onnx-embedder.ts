import type { Embedder, Embedding } from '../embed/embedder.ts';
import type { Floats, Job, LoadedModel, WholeNumbers } from './inference-protocol.ts';
import { InferenceThread, type Failure, type NeuralLogger } from './inference-thread.ts';
import { pooled } from './pooling.ts';
import { readSentenceTransformer, type SentenceTransformer } from './sentence-transformer.ts';

export interface OnnxEmbedderOptions {
  /** Path of the sentence-transformer's folder: what stands after `onnx:` in the configuration. */
  folder: string;
  logger: NeuralLogger;
  /** How long one text may take, with its wait. */
  deadlineMs?: number;
  /** Texts that may wait; one more fails at once. */
  maxWaiting?: number;
}

const DEADLINE_MS = 1000;
/** Loading has pages to read and buffers to make that no later text needs. */
const FIRST_TEXT_MS = 30_000;
/** What this file does to a text and to an answer; raised when vectors change. */
const VERSION = 1;
/** By preference: what is pooled already, then one vector for each token. */
const OUTPUTS = ['sentence_embedding', 'last_hidden_state', 'token_embeddings'];
const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
type InputName = (typeof INPUTS)[number];

const WHY: Record<Failure, string> = {
  late: 'The embedder took longer than its deadline.',
  aborted: 'Nobody waits for the embedding any more.',
  busy: 'Too many texts wait for the embedder.',
  down: 'The embedder broke down and is being started again.',
  refused: 'The embedding model failed on a text.',
};

/** A sentence-transformer from a local folder, run by onnxruntime in a thread of its own. */
export class OnnxEmbedder implements Embedder {
  readonly name: string;
  readonly dimensions: number;
  private readonly transformer: SentenceTransformer;
  private readonly model: ModelInterface;
  private readonly thread: InferenceThread;
  private readonly deadlineMs: number;

  private constructor({ sha256, inputs, output, dimensions }: ModelInterface & { sha256: string; dimensions: number }, transformer: SentenceTransformer, thread: InferenceThread, deadlineMs: number) {
    this.name = `onnx-${sha256.slice(0, 12)}/${VERSION}`;
    this.dimensions = dimensions;
    this.transformer = transformer;
    this.model = { inputs, output };
    this.thread = thread;
    this.deadlineMs = deadlineMs;
  }

  /** Throws an Error whose message tells the operator what is wrong with the folder, or that the runtime is not installed. */
  static async open({ folder, logger, deadlineMs = DEADLINE_MS, maxWaiting }: OnnxEmbedderOptions): Promise<OnnxEmbedder> {
    const transformer = await readSentenceTransformer(folder);
    const { thread, model } = await InferenceThread.open({ model: transformer.model, sha256: null, logger, ...(maxWaiting !== undefined && { maxWaiting }) });
    try {
      const used = interfaceOf(folder, model);
      const { outputs } = await thread.run(jobFor([], transformer, used), { deadlineMs: FIRST_TEXT_MS });
      const dimensions = dimensionsOf(outputs?.[used.output]);
      if (dimensions === null) throw new Error(`The model in ${folder} does not answer with one vector for each text or token.`);
      return new OnnxEmbedder({ ...used, sha256: model.sha256, dimensions }, transformer, thread, deadlineMs);
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  /** Never of a part of the text: too long for the model is out of depth. Rejects with an Error when there is no answer by the deadline. */
  async embed(text: string): Promise<Embedding> {
    const { wordPiece, maxPieces, pooling } = this.transformer;
    const ids = wordPiece.encode(text, maxPieces + 1);
    if (ids.length > maxPieces) return { vector: null, outOfDepth: 'too_long' };
    if (ids.every((id) => id === wordPiece.unknownId)) return { vector: null, outOfDepth: 'no_words' };
    const { outputs, failure } = await this.thread.run(jobFor(ids, this.transformer, this.model), { deadlineMs: this.deadlineMs });
    if (failure !== null) throw new Error(WHY[failure]);
    const answer = outputs[this.model.output];
    const vector = answer === undefined ? null : pooled(answer, pooling);
    if (vector === null) throw new Error('The embedding model answered with a vector of no length.');
    return { vector, outOfDepth: null };
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}

/** What a model is asked by, and for. */
interface ModelInterface {
  inputs: readonly InputName[];
  output: string;
}

function interfaceOf(folder: string, { inputs, outputs }: LoadedModel): ModelInterface {
  const known = (name: string): name is InputName => (INPUTS as readonly string[]).includes(name);
  const foreign = inputs.filter((name) => !known(name));
  if (foreign.length > 0 || !inputs.includes('input_ids')) throw new Error(`The model in ${folder} is no sentence-transformer: its inputs are ${inputs.join(', ')}; known are ${INPUTS.join(', ')}.`);
  const output = OUTPUTS.find((name) => outputs.includes(name));
  if (output === undefined) throw new Error(`The model in ${folder} is no sentence-transformer: its outputs are ${outputs.join(', ')}; known are ${OUTPUTS.join(', ')}.`);
  return { inputs: inputs.filter(known), output };
}

/** One text in a run, without padding: where weights are int8, neighbours would change its vector. */
function jobFor(ids: readonly number[], { start, end }: SentenceTransformer, { inputs, output }: ModelInterface): Job {
  const data = Int32Array.from([start, ...ids, end]);
  const dims = [1, data.length];
  const feeds: Record<InputName, WholeNumbers> = {
    input_ids: { dims, data },
    attention_mask: { dims, data: new Int32Array(data.length).fill(1) },
    token_type_ids: { dims, data: new Int32Array(data.length) },
  };
  return { feeds: Object.fromEntries(inputs.map((name) => [name, feeds[name]])), fetch: [output] };
}

function dimensionsOf(answer: Floats | undefined): number | null {
  const dims = answer?.dims ?? [];
  return dims[0] === 1 && (dims.length === 2 || dims.length === 3) ? (dims.at(-1) ?? null) : null;
}
