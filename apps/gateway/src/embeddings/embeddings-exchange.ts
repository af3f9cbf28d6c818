import type { Candidate } from '@deja/contracts';
import type { Exchange } from '../attempt/exchange.ts';
import { openAiCallOf } from '../dialects/openai/call.ts';
import { embeddingsCall, embeddingsReply as geminiVectors } from '../dialects/gemini/embeddings.ts';
import { gemini } from '../dialects/gemini/gemini.ts';
import { openAiUsage } from '../dialects/openai/usage.ts';
import { unsuitedAsItIs, type Unsuited } from '../dialects/unsuited.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { parseJsonBody, withMembers, type JsonBody } from '../validate/json-body.ts';
import type { EmbeddingInput, EmbeddingsRequest } from './embeddings-request.ts';
import { asEmbeddings, base64Of } from './vectors.ts';

export const EMBEDDINGS_PATH = 'embeddings';

/** The most that `batchEmbedContents` takes ("Embeddings" in the Gemini API reference). */
const GEMINI_INPUTS = 100;

/** Why this candidate cannot embed these inputs; null when it can. */
export function unsuitedForEmbeddings({ inputs, body }: EmbeddingsRequest, candidate: Pick<Candidate, 'deployment' | 'upstreamModel'>): Unsuited {
  if (candidate.deployment.kind === 'gemini') {
    if (inputs.length > GEMINI_INPUTS) return { param: 'input', message: `The provider ${candidate.deployment.provider} takes at most ${GEMINI_INPUTS} inputs a call.` };
    return inputs.some((input) => typeof input !== 'string') ? { param: 'input', message: `The provider ${candidate.deployment.provider} takes texts, not token ids.` } : null;
  }
  return unsuitedAsItIs(EMBEDDINGS_PATH, body.value, candidate);
}

/** The call for these inputs of the request: all of them as the client wrote them, or those that no cache has. */
export function embeddingsExchange(request: EmbeddingsRequest, inputs: EmbeddingInput[], candidate: Candidate): Exchange {
  if (candidate.deployment.kind === 'gemini') return geminiExchange(request, inputs, candidate);
  const { server, ...call } = openAiCallOf(bodyFor(request, inputs), candidate, { endpoint: EMBEDDINGS_PATH, stream: false, includeUsage: false });
  return {
    ...call,
    whole: (bytes) => {
      const reply = asEmbeddings(bytes, inputs.length);
      return { body: bytes, storable: true, complete: false, usage: openAiUsage(reply.usage ?? null, server), said: () => [], text: '' };
    },
    stream: neverStreams,
  };
}

function geminiExchange(request: EmbeddingsRequest, inputs: EmbeddingInput[], candidate: Candidate): Exchange {
  const { deployment, upstreamModel } = candidate;
  const dialect = gemini(deployment.apiVersion);
  const texts = inputs.filter((input) => typeof input === 'string');
  const { path, headers, body, dropped } = embeddingsCall(request.body.value, texts, { upstreamModel, stream: false, maxOutputTokens: null, createdS: 0 }, deployment.apiVersion);
  return {
    url: `${deployment.baseUrl.replace(/\/v\d+(?:beta|alpha)?\d*\/*$/, '').replace(/\/+$/, '')}${path}`,
    headers,
    body,
    dropped,
    failure: dialect.failure,
    whole: (bytes) => {
      const vectors = geminiVectors(parsedReply(bytes));
      const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: request.encoding === 'base64' ? base64Of(vector) : vector }));
      const reply = Buffer.from(JSON.stringify({ object: 'list', data, model: upstreamModel, usage: null }));
      asEmbeddings(reply, inputs.length);
      return { body: reply, storable: true, complete: false, usage: null, said: () => [], text: '' };
    },
    stream: neverStreams,
  };
}

function bodyFor(request: EmbeddingsRequest, inputs: EmbeddingInput[]): JsonBody {
  return inputs.length === request.inputs.length ? request.body : parseJsonBody(Buffer.from(withMembers(request.body, { input: JSON.stringify(inputs) })));
}

function neverStreams(): never {
  throw new Error('embeddings do not stream');
}
