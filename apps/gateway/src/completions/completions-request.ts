import { z } from 'zod';
import type { ApiRequest } from '../pipeline/endpoint.ts';
import { nullish } from '../validate/fields.ts';
import type { JsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';

const tokenIds = z.array(z.int().min(0)).min(1);

/** OpenAI's legacy completion request: known fields strictly, unknown ones untouched. */
const completionsRequest = z.looseObject({
  model: z.string().min(1).max(256),
  prompt: z.union([z.string(), z.array(z.string()).min(1), tokenIds, z.array(tokenIds).min(1)], { error: 'expected a string, an array of strings, or arrays of token ids' }),
  best_of: nullish(z.int().min(0).max(20)),
  echo: nullish(z.boolean()),
  frequency_penalty: nullish(z.number().min(-2).max(2)),
  logit_bias: nullish(z.record(z.string(), z.number().min(-100).max(100))),
  logprobs: nullish(z.int().min(0).max(5)),
  max_tokens: nullish(z.int().min(0)),
  n: nullish(z.int().min(1).max(128)),
  presence_penalty: nullish(z.number().min(-2).max(2)),
  seed: nullish(z.number().refine(Number.isInteger, 'expected an integer')),
  stop: nullish(z.union([z.string(), z.array(z.string()).max(16)], { error: 'expected a string or an array of strings' })),
  stream: nullish(z.boolean()),
  stream_options: nullish(z.looseObject({ include_usage: nullish(z.boolean()) })),
  suffix: nullish(z.string()),
  temperature: nullish(z.number().min(0).max(2)),
  top_p: nullish(z.number().min(0).max(1)),
  user: nullish(z.string()),
  safety_identifier: nullish(z.string()),
});

/** A validated legacy completion request. */
export interface CompletionsRequest extends ApiRequest {
  includeUsage: boolean;
}

/** Throws a 400 that names the field. */
export function parseCompletionsRequest(body: JsonBody): CompletionsRequest {
  const value = parseOrRefuse(completionsRequest, body.value);
  const prompts = typeof value.prompt === 'string' ? [value.prompt] : value.prompt;
  const texts = prompts.filter((prompt) => typeof prompt === 'string');
  const ids = prompts.flat().filter((id) => typeof id === 'number').length;
  const several = Array.isArray(value.prompt) && typeof value.prompt[0] !== 'number' ? value.prompt.length : 1;
  return {
    body,
    model: value.model,
    stream: value.stream === true,
    includeUsage: value.stream_options?.include_usage === true,
    user: value.safety_identifier ?? value.user ?? null,
    parts: { texts, messages: 0, images: [], tools: 0, tokens: ids },
    messages: several,
    maxOutputTokens: value.max_tokens ?? null,
    outputParam: 'max_tokens',
    // Of `best_of` answers all are made and billed, and only `n` are shown.
    choices: Math.max(value.n ?? 1, value.best_of ?? 1) * several,
    lastUserText: null,
  };
}
