import { AttemptFailure } from '../../attempt/failure.ts';
import type { ProviderCall, TranslationContext } from '../dialect.ts';
import { isObject } from './generate-content.ts';
import { modelPath, modelResource } from './model-name.ts';

/** What OpenAI's embeddings request has that Gemini's has too or that is done here after the reply. */
const UNDERSTOOD = new Set(['model', 'input', 'dimensions', 'encoding_format']);

/**
 * OpenAI's `embeddings` as `batchEmbedContents` ("Embeddings" in the Gemini API reference). Gemini takes at most 100 inputs
 * a call and knows texts only: inputs given as tokens cannot be translated.
 */
export function embeddingsCall(body: Readonly<Record<string, unknown>>, inputs: string[], context: TranslationContext, apiVersion: string | null = null): ProviderCall {
  const { dimensions } = body;
  const requests = inputs.map((text) => ({
    model: modelResource(context.upstreamModel),
    content: { parts: [{ text }] },
    ...(typeof dimensions === 'number' && { outputDimensionality: dimensions }),
  }));
  return {
    path: modelPath(apiVersion, context.upstreamModel, 'batchEmbedContents'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ requests }),
    dropped: Object.keys(body).filter((name) => !UNDERSTOOD.has(name) && body[name] !== undefined && body[name] !== null),
  };
}

/**
 * One vector an input, in order. Of length one, as OpenAI's are and clients rely on: Gemini's shortened vectors are not
 * ("Embeddings", section "Ensuring quality for smaller dimensions"). Throws an AttemptFailure `malformed` when it is no reply.
 */
export function embeddingsReply(reply: unknown): number[][] {
  const embeddings = isObject(reply) ? reply['embeddings'] : undefined;
  if (!Array.isArray(embeddings)) throw new AttemptFailure('malformed');
  return embeddings.map((embedding: unknown) => {
    const values = isObject(embedding) ? embedding['values'] : undefined;
    if (!Array.isArray(values) || values.length === 0 || !values.every((value) => typeof value === 'number')) throw new AttemptFailure('malformed');
    return ofLengthOne(values);
  });
}

function ofLengthOne(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}
