import type { PromptParts } from '@deja/tokens';
import { z } from 'zod';
import type { ApiRequest } from '../pipeline/endpoint.ts';
import { nullish } from '../validate/fields.ts';
import type { JsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';

/** OpenAI takes at most so many inputs in one call. */
const MAX_INPUTS = 2048;

const text = z.string().min(1, 'must not be empty');
const tokenIds = z.array(z.int().min(0)).min(1);

const embeddingsRequest = z.looseObject({
  model: z.string().min(1).max(256),
  input: z.union([text, z.array(text).min(1), tokenIds, z.array(tokenIds).min(1)], { error: 'expected a non-empty string, an array of them, or arrays of token ids' }),
  encoding_format: nullish(z.enum(['float', 'base64'])),
  dimensions: nullish(z.int().min(1).max(100_000)),
  user: nullish(z.string()),
  safety_identifier: nullish(z.string()),
});

/** One text, or the ids of its tokens. */
export type EmbeddingInput = string | number[];

/** A validated embeddings request. */
export interface EmbeddingsRequest extends ApiRequest {
  inputs: EmbeddingInput[];
  encoding: 'float' | 'base64';
  dimensions: number | null;
}

/** Throws a 400 that names the field. */
export function parseEmbeddingsRequest(body: JsonBody): EmbeddingsRequest {
  const value = parseOrRefuse(embeddingsRequest, body.value);
  const inputs = inputsOf(value.input);
  return {
    body,
    model: value.model,
    stream: false,
    user: value.safety_identifier ?? value.user ?? null,
    parts: inputParts(inputs),
    messages: 1,
    maxOutputTokens: 0,
    outputParam: null,
    choices: 1,
    lastUserText: null,
    inputs,
    encoding: value.encoding_format ?? 'float',
    dimensions: value.dimensions ?? null,
  };
}

/** What a list of inputs is made of, for counting its tokens. */
export const inputParts = (inputs: EmbeddingInput[]): PromptParts => ({
  texts: inputs.filter((input) => typeof input === 'string'),
  messages: 0,
  images: [],
  tools: 0,
  tokens: inputs.reduce((sum, input) => sum + (typeof input === 'string' ? 0 : input.length), 0),
});

/** Why there are too many inputs; null when there are not. */
export const tooManyInputs = ({ inputs }: EmbeddingsRequest): string | null => (inputs.length > MAX_INPUTS ? `Too many inputs: ${inputs.length}, at most ${MAX_INPUTS} are allowed.` : null);

function inputsOf(input: z.infer<typeof embeddingsRequest>['input']): EmbeddingInput[] {
  if (typeof input === 'string') return [input];
  const [first] = input;
  return typeof first === 'number' ? [input as number[]] : (input as EmbeddingInput[]);
}
