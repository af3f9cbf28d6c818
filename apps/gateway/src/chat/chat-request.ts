import { DejaError, type Settings } from '@deja/contracts';
import { z } from 'zod';
import type { JsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';

const nullish = <T extends z.ZodType>(schema: T): z.ZodOptional<z.ZodNullable<T>> => schema.nullable().optional();
const count = (max: number): z.ZodInt => z.int().min(1).max(max);

const contentPart = z.looseObject({ type: z.string().min(1) }).superRefine((part, context) => {
  if (part.type === 'text' && typeof part['text'] !== 'string') context.addIssue({ code: 'custom', path: ['text'], message: 'expected string' });
});

const message = z
  .looseObject({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
    content: nullish(z.union([z.string(), z.array(contentPart).min(1)], { error: 'expected a string or a non-empty array of content parts' })),
    name: nullish(z.string()),
    tool_calls: nullish(z.array(z.looseObject({}))),
    tool_call_id: nullish(z.string()),
  })
  .superRefine((value, context) => {
    const mayLackContent = value.role === 'assistant' || value.role === 'function';
    if (!mayLackContent && (value.content === null || value.content === undefined)) context.addIssue({ code: 'custom', path: ['content'], message: `a ${value.role} message needs content` });
  });

/** OpenAI's chat completion request: known fields strictly, unknown ones untouched (they pass through). */
const chatRequest = z.looseObject({
  model: z.string().min(1).max(256),
  messages: z.array(message).min(1),
  stream: nullish(z.boolean()),
  stream_options: nullish(z.looseObject({ include_usage: nullish(z.boolean()) })),
  temperature: nullish(z.number().min(0).max(2)),
  top_p: nullish(z.number().min(0).max(1)),
  n: nullish(count(128)),
  max_tokens: nullish(z.int().min(1)),
  max_completion_tokens: nullish(z.int().min(1)),
  presence_penalty: nullish(z.number().min(-2).max(2)),
  frequency_penalty: nullish(z.number().min(-2).max(2)),
  stop: nullish(z.union([z.string(), z.array(z.string()).max(16)], { error: 'expected a string or an array of strings' })),
  seed: nullish(z.number().refine(Number.isInteger, 'expected an integer')),
  logprobs: nullish(z.boolean()),
  top_logprobs: nullish(z.int().min(0).max(20)),
  logit_bias: nullish(z.record(z.string(), z.number().min(-100).max(100))),
  tools: nullish(z.array(z.looseObject({ type: z.string() }))),
  tool_choice: nullish(z.union([z.string(), z.looseObject({})], { error: 'expected a string or an object' })),
  parallel_tool_calls: nullish(z.boolean()),
  response_format: nullish(z.looseObject({ type: z.string() })),
  user: nullish(z.string()),
  safety_identifier: nullish(z.string()),
  metadata: nullish(z.record(z.string(), z.unknown())),
  store: nullish(z.boolean()),
});

export type ChatMessage = z.infer<typeof message>;

/** A validated chat completion request. */
export interface ChatRequest {
  body: JsonBody;
  model: string;
  stream: boolean;
  includeUsage: boolean;
  messages: ChatMessage[];
  /** What the client allows at most, null when it did not say. */
  maxOutputTokens: number | null;
  choices: number;
  /** End user as the body names it (OpenAI's `safety_identifier`, else `user`). */
  user: string | null;
  /** Upper estimate of the prompt in tokens, for limits; the bill uses the provider's own number. */
  promptTokens: number;
}

/** Checks a chat request before anything costs money; throws a 400 that names the field. */
export function parseChatRequest(body: JsonBody, rules: Settings['validation']): ChatRequest {
  const value = parseOrRefuse(chatRequest, body.value);
  if (value.messages.length > rules.max_messages) {
    throw new DejaError('invalid_value', `Too many messages: ${value.messages.length}, at most ${rules.max_messages} are allowed.`, { param: 'messages' });
  }
  const maxOutputTokens = value.max_completion_tokens ?? value.max_tokens ?? null;
  if (maxOutputTokens !== null && maxOutputTokens > rules.max_output_tokens) {
    throw new DejaError('invalid_value', `${maxOutputTokens} output tokens were asked for, at most ${rules.max_output_tokens} are allowed.`, {
      param: value.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens',
    });
  }
  const promptTokens = estimatePromptTokens(value.messages, body.text.length);
  if (promptTokens > rules.max_input_tokens) {
    throw new DejaError('context_length_exceeded', `The prompt is about ${promptTokens} tokens long, at most ${rules.max_input_tokens} are allowed.`, { param: 'messages' });
  }
  return {
    body,
    model: value.model,
    stream: value.stream === true,
    includeUsage: value.stream_options?.include_usage === true,
    messages: value.messages,
    maxOutputTokens,
    choices: value.n ?? 1,
    user: value.safety_identifier ?? value.user ?? null,
    promptTokens,
  };
}

const CHARS_PER_TOKEN = 4;
const TOKENS_PER_MESSAGE = 4;
/** OpenAI's figure for one low-detail image; larger ones are settled by the provider's own count. */
const TOKENS_PER_IMAGE = 85;

/** About how many tokens a prompt has: four characters a token for text, a flat figure for what is not text. */
function estimatePromptTokens(messages: ChatMessage[], bodyChars: number): number {
  let chars = 0;
  let tokens = 0;
  for (const { content } of messages) {
    tokens += TOKENS_PER_MESSAGE;
    if (typeof content === 'string') chars += content.length;
    else if (Array.isArray(content)) {
      for (const part of content) {
        if (typeof part['text'] === 'string') chars += part['text'].length;
        else tokens += TOKENS_PER_IMAGE;
      }
    }
  }
  return tokens + Math.ceil(Math.min(chars, bodyChars) / CHARS_PER_TOKEN);
}

/** Everything a person wrote into the request, for content rules. */
export function promptTexts(messages: ChatMessage[]): string[] {
  return messages.flatMap(({ content }) => {
    if (typeof content === 'string') return [content];
    if (!Array.isArray(content)) return [];
    return content.flatMap((part) => (typeof part['text'] === 'string' ? [part['text']] : []));
  });
}
