import { lastUserText } from '@deja/cache-key';
import { z } from 'zod';
import type { ApiRequest } from '../pipeline/endpoint.ts';
import { nullish } from '../validate/fields.ts';
import type { JsonBody } from '../validate/json-body.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { PartsCollector } from '../validate/prompt-parts.ts';
import { isPlainChat } from './plain-chat.ts';

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
/** The body of a validated chat completion request. */
export type ChatBody = z.infer<typeof chatRequest>;

/** A validated chat completion request. */
export interface ChatRequest extends ApiRequest {
  value: ChatBody;
  includeUsage: boolean;
}

/** The body as the schema takes it; throws a 400 that names the field. */
export const checkedChat = (body: unknown): ChatBody => parseOrRefuse(chatRequest, body);

/** Checks a chat request before anything costs money; throws a 400 that names the field. */
export function parseChatRequest(body: JsonBody): ChatRequest {
  const value = isPlainChat(body.value) ? (body.value as ChatBody) : checkedChat(body.value);
  return {
    body,
    value,
    model: value.model,
    stream: value.stream === true,
    includeUsage: value.stream_options?.include_usage === true,
    user: value.safety_identifier ?? value.user ?? null,
    parts: new PartsCollector().add(value.messages).parts(value.messages.length, [value.tools, value['functions'], value.response_format?.['json_schema']]),
    messages: value.messages.length,
    maxOutputTokens: value.max_completion_tokens ?? value.max_tokens ?? null,
    outputParam: value.max_completion_tokens == null && value.max_tokens != null ? 'max_tokens' : 'max_completion_tokens',
    choices: value.n ?? 1,
    lastUserText: lastUserText(body),
  };
}
