import type { ChatMessage } from '../../chat/chat-request.ts';
import { contentBlocks, textBlocks, withCacheControl } from './content-blocks.ts';
import { fieldOf, isObject, textOf, type Block, type JsonObject, type Turn } from './messages-api.ts';

/** Said for the user where Anthropic wants a user turn and the conversation has none. */
const CONTINUE: Turn = { role: 'user', content: [{ type: 'text', text: 'Continue.' }] };

/**
 * OpenAI's list of messages as Anthropic's conversation: instructions apart, turns that alternate and begin with the user.
 * Results of tools come first in the turn after the calls, as Anthropic demands ("Handle tool calls").
 * @param mayPrefill whether the model continues a conversation that ends with an assistant turn
 */
export function chatToTurns(messages: readonly ChatMessage[], mayPrefill: boolean): { system: Block[]; turns: Turn[] } {
  const system: Block[] = [];
  const turns: Turn[] = [];
  let functionCallId = '';
  messages.forEach((message, position) => {
    if (message.role === 'system' || message.role === 'developer') {
      system.push(...cached(contentBlocks(message.content).filter((block) => block.type === 'text'), message));
      return;
    }
    // The older `function_call` has no id; it and its result are paired by where they stand.
    if (isObject(message['function_call'])) functionCallId = `call_${position}`;
    append(turns, message.role === 'assistant' ? 'assistant' : 'user', cached(turnBlocks(message, functionCallId), message));
  });
  for (const turn of turns) turn.content.sort((a, b) => Number(isToolResult(b)) - Number(isToolResult(a)));
  if (turns[0]?.role !== 'user') turns.unshift(structuredClone(CONTINUE));
  if (turns.at(-1)?.role === 'assistant') {
    if (mayPrefill && messages.at(-1)?.role === 'assistant') trimPrefill(turns.at(-1)?.content.at(-1));
    else turns.push(structuredClone(CONTINUE));
  }
  return { system, turns };
}

const isToolResult = (block: Block): boolean => block.type === 'tool_result';

function append(turns: Turn[], role: Turn['role'], content: Block[]): void {
  const last = turns.at(-1);
  if (content.length === 0) return;
  if (last?.role === role) last.content.push(...content);
  else turns.push({ role, content });
}

/** `cache_control` on a whole message marks its last block. */
function cached(blocks: Block[], message: ChatMessage): Block[] {
  return blocks.map((block, i) => (i === blocks.length - 1 ? withCacheControl(block, message) : block));
}

function turnBlocks(message: ChatMessage, functionCallId: string): Block[] {
  if (message.role === 'assistant') return assistantBlocks(message, functionCallId);
  return message.role === 'user' ? contentBlocks(message.content) : [toolResult(message, functionCallId)];
}

function assistantBlocks(message: ChatMessage, functionCallId: string): Block[] {
  const text = contentBlocks(message.content);
  const said = text.length > 0 ? text : textBlocks(textOf(message, 'refusal'));
  const calls = (message.tool_calls ?? []).flatMap((call) => toolUse(call['id'], call['function'] ?? call['custom']));
  const content = [...said, ...calls, ...toolUse(functionCallId, message['function_call'])];
  // Anthropic refuses a turn that is nothing but thoughts.
  return content.length === 0 ? [] : [...thoughts(message['thinking_blocks']), ...content];
}

/** Thoughts that the client sends back as it got them; what bears no signature would be refused. */
function thoughts(blocks: unknown): Block[] {
  if (!Array.isArray(blocks)) return [];
  return blocks.flatMap((block: unknown): Block[] => {
    const [type, signature, data] = [textOf(block, 'type'), textOf(block, 'signature'), textOf(block, 'data')];
    if (type === 'thinking' && signature !== '') return [{ type, thinking: textOf(block, 'thinking'), signature }];
    return type === 'redacted_thinking' && data !== '' ? [{ type, data }] : [];
  });
}

function toolUse(id: unknown, called: unknown): Block[] {
  if (!isObject(called)) return [];
  const input = typeof called['input'] === 'string' ? { input: called['input'] } : parsedArguments(called['arguments']);
  return [{ type: 'tool_use', id: toolId(id), name: textOf(called, 'name'), input }];
}

/** Arguments as the object Anthropic wants; what is none (cut off, or not JSON) still reaches the model. */
function parsedArguments(text: unknown): JsonObject {
  if (isObject(text)) return text;
  if (typeof text !== 'string' || text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : { arguments: value };
  } catch {
    return { arguments: text };
  }
}

function toolResult(message: ChatMessage, functionCallId: string): Block {
  const content = contentBlocks(message.content);
  const id = message.role === 'function' ? functionCallId : message.tool_call_id;
  return { type: 'tool_result', tool_use_id: toolId(id), ...(content.length > 0 && { content }) };
}

/** Anthropic's ids have letters, digits, `_` and `-` only; other providers' ids have more. */
const toolId = (id: unknown): string => (typeof id === 'string' ? id.replaceAll(/[^\w-]/g, '_') : '') || 'call';

/** Anthropic refuses a last assistant turn that ends with white space. */
function trimPrefill(block: Block | undefined): void {
  const text = fieldOf(block, 'text');
  if (block?.type === 'text' && typeof text === 'string') block['text'] = text.trimEnd();
}
