import { itemId, type OutputItem, type ResponseOrigin } from './response-object.ts';
import type { ResponsesBody } from './responses-request.ts';

/** What a message, or a piece of a streamed one, says; empty where it says nothing. */
export interface Words {
  reasoning: string;
  text: string;
  refusal: string;
}

/**
 * The words of a chat message or delta. Reasoning is called `reasoning_content` by DeepSeek, xAI and vLLM, `reasoning` by
 * Groq and OpenRouter, and is a `thinking` part of the content at Mistral.
 */
export function wordsOf(message: Record<string, unknown>): Words {
  const { content, refusal, reasoning_content: reasoning, reasoning: otherReasoning } = message;
  const said: Words = { reasoning: firstText(reasoning, otherReasoning), text: firstText(content), refusal: firstText(refusal) };
  if (!Array.isArray(content)) return said;
  for (const part of content as ({ type?: unknown; text?: unknown; thinking?: unknown } | null)[]) {
    if (part?.type === 'text') said.text += firstText(part.text);
    else if (part?.type === 'thinking') said.reasoning += thinkingText(part.thinking);
  }
  return said;
}

const firstText = (...values: unknown[]): string => values.find((value): value is string => typeof value === 'string' && value !== '') ?? '';

const thinkingText = (thinking: unknown): string => (Array.isArray(thinking) ? thinking.map((each: { text?: unknown } | null) => firstText(each?.text)).join('') : firstText(thinking));

/** Log probabilities of a choice (`logprobs.content`) as a response's text part has them. */
export function logprobsOf(logprobs: unknown): LogProb[] {
  const list = (logprobs as { content?: unknown } | null | undefined)?.content;
  return Array.isArray(list) ? list.filter(isLogProb).map((each) => ({ ...logprob(each), top_logprobs: (each.top_logprobs ?? []).filter(isLogProb).map(logprob) })) : [];
}

const isLogProb = (value: unknown): value is LogProb => typeof (value as LogProb | null)?.token === 'string' && typeof (value as LogProb).logprob === 'number';

export interface LogProb {
  token: string;
  logprob: number;
  bytes: number[];
  top_logprobs?: LogProb[];
}

const logprob = ({ token, logprob: value, bytes }: { token: string; logprob: number; bytes?: number[] | null }): LogProb => ({ token, logprob: value, bytes: bytes ?? [] });

/** Names of the request's custom tools: providers know them as functions, and the client wants them back as they were. */
export const customTools = (request: ResponsesBody): ReadonlySet<unknown> => new Set((request.tools ?? []).filter((tool) => tool.type === 'custom').map((tool) => tool['name']));

/** One tool call of a chat message, whatever parts of it a provider gives. */
export interface CalledTool {
  id: string;
  name: string;
  arguments: string;
}

/** A tool call as a response's item; `index` is its place in the output. */
export function callItem(call: CalledTool, custom: ReadonlySet<unknown>, origin: ResponseOrigin, index: number, status: string): OutputItem {
  const isCustom = custom.has(call.name);
  const id = itemId(origin, isCustom ? 'ctc' : 'fc', index);
  // Some providers do not name their calls; what the client sends back must still find its call.
  const head = { id, call_id: call.id === '' ? id.replace(/^[a-z]+/, 'call') : call.id, name: call.name, status };
  return isCustom ? { type: 'custom_tool_call', ...head, input: customInput(call.arguments) } : { type: 'function_call', ...head, arguments: call.arguments };
}

/** What a custom tool is told: the one string of the function that stands for it, or all of it when a model does not keep to that. */
function customInput(args: string): string {
  try {
    const { input } = JSON.parse(args) as { input?: unknown };
    return typeof input === 'string' ? input : args;
  } catch {
    return args;
  }
}

export const reasoningItem = (text: string, origin: ResponseOrigin, index: number): OutputItem => ({
  type: 'reasoning',
  id: itemId(origin, 'rs', index),
  summary: text === '' ? [] : [{ type: 'summary_text', text }],
});

export const messageItem = (content: ContentPart[], origin: ResponseOrigin, index: number, status: string): OutputItem => ({
  type: 'message',
  id: itemId(origin, 'msg', index),
  status,
  role: 'assistant',
  content,
});

export interface ContentPart {
  type: string;
  [field: string]: unknown;
}

export const textPart = (text: string, logprobs: LogProb[]): ContentPart => ({ type: 'output_text', annotations: [], logprobs, text });
export const refusalPart = (refusal: string): ContentPart => ({ type: 'refusal', refusal });
