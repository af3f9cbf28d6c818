import type { ChatMessage } from '../chat/chat-request.ts';
import type { InputItem, InputPart } from './responses-request.ts';

/** What of a request has no counterpart in a chat completion. */
export interface Untranslatable {
  /** The place in the request, such as `input[2].content[0].file_id`. */
  param: string;
  reason: string;
}

/** Called for each thing that is left out although the answer would be another one without it. */
export type Refuse = (param: string, reason: string) => void;

const STORED_FILE = 'files are stored at a provider that has the Responses API';

/** A response's input as the messages of a chat completion. */
export function messagesOf(input: string | InputItem[], refuse: Refuse): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const conversation = new Conversation();
  for (const [index, item] of input.entries()) takeItem(conversation, item, `input[${index}]`, refuse);
  return conversation.end();
}

function takeItem(conversation: Conversation, item: InputItem, at: string, refuse: Refuse): void {
  const isMessage = item.type === 'message' || (item.type == null && item.role != null);
  if (isMessage && item.role === 'assistant') conversation.say(assistantText(item, at, refuse));
  else if (isMessage) conversation.add(spoken(item, at, refuse));
  else if (item.type === 'function_call') conversation.call(item, text(item['arguments']));
  else if (item.type === 'custom_tool_call') conversation.call(item, JSON.stringify({ input: text(item['input']) }));
  else if (item.type === 'function_call_output' || item.type === 'custom_tool_call_output') {
    conversation.add({ role: 'tool', tool_call_id: text(item['call_id']), content: toolOutput(item.output ?? '', `${at}.output`, refuse) });
  } else if (item.type === 'reasoning') conversation.think(thoughts(item));
  else if (item.type == null || item.type === 'item_reference') refuse(`${at}.id`, 'earlier items are kept only by a provider that has the Responses API');
  else refuse(`${at}.type`, `items of type ${item.type} need a provider that has the Responses API`);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Puts messages together: reasoning, words and tool calls of one turn are one message of the assistant. */
class Conversation {
  private readonly messages: ChatMessage[] = [];
  private turn: { reasoning: string[]; content: string | null; calls: Record<string, unknown>[] } | null = null;

  add(message: ChatMessage): void {
    this.endTurn();
    this.messages.push(message);
  }

  say(content: string): void {
    if (this.turn?.content != null) this.endTurn();
    this.assistant().content = content;
  }

  call(item: InputItem, args: string): void {
    this.assistant().calls.push({ id: text(item['call_id']), type: 'function', function: { name: text(item['name']), arguments: args } });
  }

  think(reasoning: string): void {
    if (this.turn?.content != null && this.turn.calls.length === 0) this.endTurn();
    if (reasoning !== '') this.assistant().reasoning.push(reasoning);
  }

  end(): ChatMessage[] {
    this.endTurn();
    return this.messages;
  }

  private assistant(): NonNullable<Conversation['turn']> {
    return (this.turn ??= { reasoning: [], content: null, calls: [] });
  }

  private endTurn(): void {
    const { turn } = this;
    this.turn = null;
    // Thoughts alone are no message.
    if (!turn || (turn.content === null && turn.calls.length === 0)) return;
    this.messages.push({
      role: 'assistant',
      content: turn.content,
      ...(turn.reasoning.length > 0 && { reasoning_content: turn.reasoning.join('\n\n') }),
      ...(turn.calls.length > 0 && { tool_calls: turn.calls }),
    });
  }
}

/** Words of a reasoning item: its own text, else the summary; empty when it is encrypted. */
function thoughts(item: InputItem): string {
  const words = (parts: unknown): string => (Array.isArray(parts) ? parts.map((each: InputPart) => text(each['text'])).join('\n\n') : '');
  return words(item.content) || words(item.summary);
}

function assistantText(item: InputItem, at: string, refuse: Refuse): string {
  if (typeof item.content === 'string') return item.content;
  return partsOf(item)
    .map((part, index) => wordsOfPart(part) ?? unknownPart(part, `${at}.content[${index}]`, refuse))
    .join('');
}

const partsOf = (item: InputItem): InputPart[] => (Array.isArray(item.content) ? item.content : []);

function unknownPart(part: InputPart, at: string, refuse: Refuse): string {
  refuse(`${at}.type`, `content of type ${part.type} cannot be part of this chat message`);
  return '';
}

function wordsOfPart(part: InputPart): string | null {
  if (part.type === 'input_text' || part.type === 'output_text' || part.type === 'text') return text(part['text']);
  return part.type === 'refusal' ? text(part['refusal']) : null;
}

/** A message of anyone but the assistant. `developer` becomes `system`: not every server knows the newer word. */
function spoken(item: InputItem, at: string, refuse: Refuse): ChatMessage {
  const role = item.role === 'user' ? 'user' : 'system';
  if (typeof item.content === 'string') return { role, content: item.content };
  const texts = partsOf(item).map(wordsOfPart);
  if (texts.every((words) => words !== null) && (role === 'system' || texts.length <= 1)) return { role, content: texts.join('\n\n') };
  return { role, content: partsOf(item).flatMap((part, index) => chatPart(part, role, `${at}.content[${index}]`, refuse) ?? []) };
}

function chatPart(part: InputPart, role: string, at: string, refuse: Refuse): InputPart | null {
  const words = wordsOfPart(part);
  if (words !== null) return { type: 'text', text: words };
  if (role !== 'user') {
    unknownPart(part, at, refuse);
    return null;
  }
  if (part.type === 'input_image' && typeof part['image_url'] === 'string') {
    return { type: 'image_url', image_url: { url: part['image_url'], ...(typeof part['detail'] === 'string' && { detail: part['detail'] }) } };
  }
  if (part.type === 'input_file' && typeof part['file_data'] === 'string') {
    return { type: 'file', file: { ...(typeof part['filename'] === 'string' && { filename: part['filename'] }), file_data: part['file_data'] } };
  }
  if (part.type === 'input_audio') return part;
  if (typeof part['file_id'] === 'string') refuse(`${at}.file_id`, STORED_FILE);
  else if (typeof part['file_url'] === 'string') refuse(`${at}.file_url`, 'a chat completion takes a file’s data, not its address');
  else unknownPart(part, at, refuse);
  return null;
}

/** A tool's output is text in a chat completion. */
function toolOutput(output: string | InputPart[], at: string, refuse: Refuse): string {
  if (typeof output === 'string') return output;
  return output.map((part, index) => wordsOfPart(part) ?? unknownPart(part, `${at}[${index}]`, refuse)).join('\n\n');
}
