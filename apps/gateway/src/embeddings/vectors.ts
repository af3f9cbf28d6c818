import { AttemptFailure } from '../attempt/failure.ts';
import { parsedReply } from '../reply/parsed-reply.ts';

/** An embedding as it travels: numbers, or base64 of little-endian 32-bit floats. */
export type Vector = number[] | string;

/** What is kept of one input's embedding. */
export interface KeptVector {
  embedding: Vector;
  /** Its share of the tokens the provider counted. */
  tokens: number;
  /** The model as the provider named it. */
  model: string;
}

/** An embeddings reply, as far as deja reads it; the rest passes through. */
export interface EmbeddingsReply {
  object?: unknown;
  model?: unknown;
  data: { index: number; embedding: Vector; [field: string]: unknown }[];
  usage?: { prompt_tokens?: number; total_tokens?: number } | null;
  [field: string]: unknown;
}

/** The reply to `count` inputs; throws `malformed` when there is not one vector for each. */
export function asEmbeddings(body: Buffer, count: number): EmbeddingsReply {
  const reply = (parsedReply(body) ?? {}) as EmbeddingsReply;
  const { data } = reply;
  const sound = Array.isArray(data) && data.length === count && new Set(data.map((item) => item?.index)).size === count && data.every((item) => isVector(item?.embedding) && item.index >= 0 && item.index < count);
  if (!sound) throw new AttemptFailure('malformed');
  return reply;
}

const isVector = (value: unknown): value is Vector => typeof value === 'string' || (Array.isArray(value) && value.every((x) => typeof x === 'number'));

/**
 * Shares out the tokens of one call over its inputs in proportion to their sizes; the shares add up to the total exactly
 * (largest remainders). Pure.
 */
export function sharesOf(total: number, sizes: readonly number[]): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (all === 0) return sizes.map(() => 0);
  const exact = sizes.map((size) => (total * size) / all);
  const shares = exact.map(Math.floor);
  let left = total - shares.reduce((sum, share) => sum + share, 0);
  const byRemainder = exact.map((value, index) => ({ index, remainder: value - Math.floor(value) })).sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder) {
    if (left <= 0) break;
    shares[index] = (shares[index] ?? 0) + 1;
    left--;
  }
  return shares;
}

/** The same reply as the request log has it: how long each vector is, and none of its numbers. */
export function embeddingsShape(vectors: readonly KeptVector[]): object {
  const tokens = vectors.reduce((sum, vector) => sum + vector.tokens, 0);
  const data = vectors.map(({ embedding }, index) => ({ object: 'embedding', index, embedding: typeof embedding === 'string' ? { chars: embedding.length } : { numbers: embedding.length } }));
  return { object: 'list', data, model: vectors.at(-1)?.model ?? '', usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** A reply put together from vectors in the order of the inputs. */
export function embeddingsReply(vectors: readonly KeptVector[]): Buffer {
  const tokens = vectors.reduce((sum, vector) => sum + vector.tokens, 0);
  const data = vectors.map(({ embedding }, index) => ({ object: 'embedding', index, embedding }));
  return Buffer.from(JSON.stringify({ object: 'list', data, model: vectors.at(-1)?.model ?? '', usage: { prompt_tokens: tokens, total_tokens: tokens } }));
}

/** Numbers as OpenAI's base64: little-endian 32-bit floats. */
export function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [i, x] of vector.entries()) bytes.writeFloatLE(x, i * 4);
  return bytes.toString('base64');
}
