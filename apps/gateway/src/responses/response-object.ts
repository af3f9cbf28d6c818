import type { CompletionUsage } from '../chat/completion.ts';
import { usageOf } from '../chat/completion.ts';
import type { ResponsesBody } from './responses-request.ts';

/** One thing a model put out: a message, a tool call, its reasoning, … */
export interface OutputItem {
  type: string;
  id?: string;
  [field: string]: unknown;
}

/** OpenAI's `usage` of a response. */
export interface ResponseUsage {
  input_tokens: number;
  input_tokens_details?: { cached_tokens?: number | null; cache_write_tokens?: number | null } | null;
  output_tokens: number;
  output_tokens_details?: { reasoning_tokens?: number | null } | null;
  total_tokens?: number;
}

/** The parts of OpenAI's Response object that deja reads; the rest passes through. */
export interface ResponseObject {
  id: string;
  object: 'response';
  created_at: number;
  status?: string;
  model: string;
  output: OutputItem[];
  error?: { code?: string | null; message?: string } | null;
  incomplete_details?: { reason?: string } | null;
  usage?: ResponseUsage | null;
  [field: string]: unknown;
}

/** The ids of items that a provider put out, as those of parts of an answer. */
export function itemIds(output: unknown): { kind: 'item'; id: string }[] {
  if (!Array.isArray(output)) return [];
  return output.flatMap((item: { id?: unknown } | null) => (typeof item?.id === 'string' ? [{ kind: 'item' as const, id: item.id }] : []));
}

/** What a translated response is made with, besides the provider's answer. */
export interface ResponseOrigin {
  /** The response's id, `resp_…`; its items' ids are made from it. */
  id: string;
  /** Unix seconds. */
  createdAtS: number;
  /** The time when the answer is complete, Unix seconds. */
  nowS: () => number;
}

/** Why a chat completion ended, as a response says it: its status, and what is missing. */
export interface Ending {
  status: 'completed' | 'incomplete';
  reason: 'max_output_tokens' | 'content_filter' | null;
}

/** An item's id, the same for the whole reply and the streamed one. OpenAI's prefixes: msg, fc, ctc, rs. */
export const itemId = (origin: ResponseOrigin, prefix: string, index: number): string => `${prefix}_${origin.id.replace(/^resp_/, '')}${index.toString(16).padStart(2, '0')}`;

/** A finish reason of chat completions as the end of a response; null (nobody said why it ended) is no complete answer. */
export function endingOf(finishReason: string | null | undefined): Ending {
  if (finishReason === 'length') return { status: 'incomplete', reason: 'max_output_tokens' };
  if (finishReason === 'content_filter') return { status: 'incomplete', reason: 'content_filter' };
  return { status: finishReason ? 'completed' : 'incomplete', reason: null };
}

/** A response that has just begun: nothing put out yet, what was asked for repeated as OpenAI does, with its defaults. */
export function begunResponse(request: ResponsesBody, origin: ResponseOrigin, said: { model?: unknown; service_tier?: unknown }): ResponseObject {
  return {
    id: origin.id,
    object: 'response',
    created_at: origin.createdAtS,
    status: 'in_progress',
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    model: typeof said.model === 'string' && said.model !== '' ? said.model : request.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: request.reasoning?.summary ?? null },
    safety_identifier: request.safety_identifier ?? null,
    service_tier: tierOf(said.service_tier) ?? tierOf(request.service_tier) ?? 'default',
    // Nothing is kept under this id, whatever was asked for.
    store: false,
    temperature: request.temperature ?? 1,
    text: { format: request.text?.format ?? { type: 'text' }, verbosity: request.text?.verbosity ?? 'medium' },
    tool_choice: request.tool_choice ?? 'auto',
    tools: (request.tools ?? []).map((tool) => (tool.type === 'function' ? { ...tool, description: tool['description'] ?? null, parameters: tool['parameters'] ?? null, strict: tool['strict'] ?? false } : tool)),
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: request.truncation ?? 'disabled',
    ...(typeof request.user === 'string' && { user: request.user }),
    metadata: request.metadata ?? {},
  };
}

/** The same response, ended. */
export function endedResponse(begun: ResponseObject, origin: ResponseOrigin, output: OutputItem[], ending: Ending, usage: CompletionUsage | null | undefined): ResponseObject {
  const counted = usageOf(usage);
  return {
    ...begun,
    status: ending.status,
    completed_at: ending.status === 'completed' ? origin.nowS() : null,
    incomplete_details: ending.reason === null ? null : { reason: ending.reason },
    output,
    ...(counted && {
      usage: {
        input_tokens: counted.promptTokens,
        input_tokens_details: { cached_tokens: counted.cachedTokens, cache_write_tokens: counted.cacheWriteTokens },
        output_tokens: counted.completionTokens,
        output_tokens_details: { reasoning_tokens: counted.reasoningTokens },
        total_tokens: counted.promptTokens + counted.completionTokens,
      },
    }),
  };
}

/** Service tiers of OpenAI's; other providers' own words would be no valid response. */
const TIERS = new Set<unknown>(['auto', 'default', 'flex', 'scale', 'priority', 'fast', 'ultrafast']);

const tierOf = (tier: unknown): unknown => (TIERS.has(tier) ? tier : undefined);
