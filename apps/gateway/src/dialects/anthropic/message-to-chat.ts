import type { ChatBody } from '../../chat/chat-request.ts';
import { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatCompletion } from '../../chat/completion.ts';
import type { TranslationContext } from '../dialect.ts';
import { claudeModel } from './claude-model.ts';
import { failureOfErrorObject } from './failure.ts';
import { jsonPlan } from './json-output.ts';
import { fieldOf, isObject, textOf, type Block } from './messages-api.ts';
import { usesFunctions } from './tools.ts';
import { messageUsage } from './usage.ts';

/** What the request has to do with the shape of its answer. */
export interface ReplyShape {
  /** The tool whose input is the answer's text; null when there is none. */
  jsonTool: string | null;
  /** Whether the client asked with `functions` and is answered with `function_call`. */
  functions: boolean;
}

export function replyShape(body: ChatBody, context: TranslationContext): ReplyShape {
  const plan = jsonPlan(body, claudeModel(context.upstreamModel));
  return { jsonTool: plan.way === 'tool' ? plan.name : null, functions: usesFunctions(body) };
}

/**
 * A whole message as a chat completion. Thoughts are `reasoning_content`, the field most clients read; `thinking_blocks`
 * has them with Anthropic's signatures, so that a client that sends the assistant's message back as it got it lets the
 * model go on from its thoughts (Anthropic, "Thinking": preserving thinking blocks). Blocks of unknown types are left out.
 */
export function messageToChat(reply: unknown, body: ChatBody, context: TranslationContext): ChatCompletion {
  const content = fieldOf(reply, 'content');
  if (fieldOf(reply, 'type') === 'error') throw failureOfErrorObject(reply);
  if (!isObject(reply) || !Array.isArray(content)) throw new AttemptFailure('malformed');
  const shape = replyShape(body, context);
  const blocks = content.filter(isObject) as Block[];
  const ofType = (type: string): Block[] => blocks.filter((block) => block.type === type);
  const thoughts = blocks.filter(isThought);
  const uses = ofType('tool_use');
  const calls = uses.filter((use) => use['name'] !== shape.jsonTool);
  const json = uses.filter((use) => use['name'] === shape.jsonTool);
  const text = json.length > 0 ? json.map(inputJson).join('') : ofType('text').map((block) => textOf(block, 'text')).join('');
  const reasoning = thoughts.map((block) => textOf(block, 'thinking')).join('');
  const usage = messageUsage(reply['usage']);
  const message = {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || reply['stop_reason'] === 'refusal') ? null : text,
    refusal: refusalText(reply),
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(thoughts.length > 0 && { thinking_blocks: thoughts.map(thinkingBlock) }),
    ...(calls.length > 0 && callFields(calls, shape)),
  };
  return {
    id: textOf(reply, 'id'),
    object: 'chat.completion',
    created: context.createdS,
    model: textOf(reply, 'model') || context.upstreamModel,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(reply['stop_reason'], calls.length > 0, shape) }],
    ...(usage && { usage }),
  };
}

/** Anthropic's reasons ("Stop reasons") in OpenAI's words. An answer given through the JSON tool ended by itself. */
export function finishReason(stopReason: unknown, called: boolean, shape: ReplyShape): string {
  switch (stopReason) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'refusal':
      return 'content_filter';
    case 'tool_use':
      return called ? (shape.functions ? 'function_call' : 'tool_calls') : 'stop';
    default:
      return 'stop'; // end_turn, stop_sequence, pause_turn
  }
}

/** Why the model refused, where Anthropic says so in words; null otherwise. */
export function refusalText(message: unknown): string | null {
  return fieldOf(message, 'stop_reason') === 'refusal' ? textOf(fieldOf(message, 'stop_details'), 'explanation') || null : null;
}

export const isThought = (block: Block): boolean => block.type === 'thinking' || block.type === 'redacted_thinking';

/** A thought as it can be sent back: Anthropic takes these fields and no others. */
export function thinkingBlock(block: Block): Block {
  if (block.type === 'redacted_thinking') return { type: block.type, data: textOf(block, 'data') };
  return { type: 'thinking', thinking: textOf(block, 'thinking'), signature: textOf(block, 'signature') };
}

/** A call's input as the JSON text that OpenAI calls arguments; a call without any has `{}`. */
export const inputJson = (use: Block): string => JSON.stringify(use['input'] ?? {});

function callFields(uses: Block[], shape: ReplyShape): Record<string, unknown> {
  const calls = uses.map((use) => ({ id: textOf(use, 'id'), type: 'function', function: { name: textOf(use, 'name'), arguments: inputJson(use) } }));
  return shape.functions ? { function_call: calls[0]?.function } : { tool_calls: calls };
}
