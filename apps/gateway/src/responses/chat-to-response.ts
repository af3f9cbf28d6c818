import type { ChatCompletion, CompletionChoice } from '../chat/completion.ts';
import { callItem, customTools, logprobsOf, messageItem, reasoningItem, refusalPart, textPart, wordsOf, type CalledTool, type ContentPart } from './chat-output.ts';
import { begunResponse, endedResponse, endingOf, type OutputItem, type ResponseObject, type ResponseOrigin } from './response-object.ts';
import type { ResponsesBody } from './responses-request.ts';

/** A chat completion as the response that was asked for. Items stand in the order reasoning, message, tool calls. */
export function responseOf(completion: ChatCompletion, request: ResponsesBody, origin: ResponseOrigin): ResponseObject {
  const begun = begunResponse(request, origin, { model: completion.model, service_tier: completion['service_tier'] });
  const [choice] = completion.choices;
  const ending = endingOf(choice?.finish_reason);
  return endedResponse(begun, origin, choice ? outputOf(choice, request, origin, ending.status) : [], ending, completion.usage);
}

/** Items of one choice. Only the last one can have been cut. */
function outputOf(choice: CompletionChoice, request: ResponsesBody, origin: ResponseOrigin, status: string): OutputItem[] {
  const message = choice.message ?? {};
  const { reasoning, text, refusal } = wordsOf(message);
  const calls = toolCalls(message);
  const custom = customTools(request);
  const output: OutputItem[] = [];
  if (reasoning !== '') output.push(reasoningItem(reasoning, origin, output.length));
  const parts: ContentPart[] = [];
  if (text !== '') parts.push(textPart(text, logprobsOf(choice['logprobs'])));
  if (refusal !== '') parts.push(refusalPart(refusal));
  if (parts.length > 0) output.push(messageItem(parts, origin, output.length, calls.length > 0 ? 'completed' : status));
  for (const [position, call] of calls.entries()) output.push(callItem(call, custom, origin, output.length, position < calls.length - 1 ? 'completed' : status));
  return output;
}

function toolCalls(message: Record<string, unknown>): CalledTool[] {
  const list = message['tool_calls'];
  if (!Array.isArray(list)) return [];
  return list.map((call: { id?: unknown; function?: { name?: unknown; arguments?: unknown } | null } | null) => ({
    id: text(call?.id),
    name: text(call?.function?.name),
    arguments: text(call?.function?.arguments),
  }));
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
