import { fieldsOf, responseEnd } from './reply-facts.ts';

/** A part of a message as the conventions' schemas have it; what they have no form for, or is no text, is told by its type alone. */
export interface MessagePart {
  type: string;
  /** Of `text` and `reasoning`. */
  content?: string;
  /** Of `tool_call` and `tool_call_response`. */
  id?: string;
  name?: string;
  /** JSON text. */
  arguments?: string;
  response?: string;
  /** Of `cut`: so many messages are left out. */
  messages?: number;
}

export interface TracedMessage {
  role: string;
  parts: MessagePart[];
  /** Of messages that a model put out. */
  finish_reason?: string;
}

/** What a request says: the messages, and the instructions that stand apart from them. */
export interface TracedInput {
  messages: TracedMessage[];
  instructions: MessagePart[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a request says, by the schema of `gen_ai.input.messages`
 * (https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-input-messages.json). Of a validated body.
 */
export function inputOf(endpoint: string, body: Fields): TracedInput {
  switch (endpoint) {
    case 'chat/completions':
      return { messages: list(body['messages']).map(chatMessage), instructions: [] };
    case 'completions':
      return { messages: texts(body['prompt']).map((content) => ({ role: 'user', parts: [{ type: 'text', content }] })), instructions: [] };
    case 'responses': {
      const { input, instructions } = body;
      const messages = typeof input === 'string' ? [{ role: 'user', parts: [{ type: 'text', content: input }] }] : list(input).map((item) => ({ role: roleOf(item), parts: itemParts(item) }));
      return { messages, instructions: texts(instructions).map((content) => ({ type: 'text', content })) };
    }
    default:
      return { messages: [], instructions: [] };
  }
}

/** What a whole reply says, a message for each choice, by the schema of `gen_ai.output.messages`. */
export function outputOf(endpoint: string, reply: Fields): TracedMessage[] {
  if (endpoint === 'responses') {
    const parts = list(reply['output']).flatMap(itemParts);
    return parts.length === 0 ? [] : [{ role: 'assistant', parts, finish_reason: ending(responseEnd(reply)[0]) }];
  }
  return list(reply['choices']).map((choice) => {
    const message = fieldsOf(choice['message']);
    const parts = message === null ? texts(choice['text']).map((content) => ({ type: 'text', content })) : chatMessage(message).parts;
    return { role: 'assistant', parts, finish_reason: ending(choice['finish_reason']) };
  });
}

/** Of chat completions. */
function chatMessage(message: Fields): TracedMessage {
  const { role, content, refusal, tool_calls: calls, tool_call_id: callId, reasoning_content: reasoning } = message;
  if (role === 'tool' || role === 'function') return { role: 'tool', parts: [{ type: 'tool_call_response', ...idOf(callId), response: contentParts(content).map((part) => part.content ?? `[${part.type}]`).join('\n') }] };
  const parts: MessagePart[] = texts(reasoning).map((text) => ({ type: 'reasoning', content: text }));
  parts.push(...contentParts(content), ...texts(refusal).map((text) => ({ type: 'text', content: text })));
  parts.push(...list(calls).map((call) => toolCall(call['id'], fieldsOf(call['function']) ?? {})));
  return { role: roleOf(message), parts };
}

/** An item of a response, or of the input of one. */
function itemParts(item: Fields): MessagePart[] {
  switch (item['type']) {
    case 'function_call':
      return [toolCall(item['call_id'], item)];
    case 'function_call_output':
      return [{ type: 'tool_call_response', ...idOf(item['call_id']), response: typeof item['output'] === 'string' ? item['output'] : contentParts(item['output']).map(({ content }) => content ?? '').join('\n') }];
    case 'reasoning':
      return list(item['summary']).flatMap(({ text }) => texts(text)).map((content) => ({ type: 'reasoning', content }));
    case 'message':
    case undefined:
      return contentParts(item['content']);
    default:
      return [{ type: String(item['type']) }];
  }
}

/** Content is a text, or a list of parts: text ones are kept, of pictures, sounds and files only that they were there. */
function contentParts(content: unknown): MessagePart[] {
  if (typeof content === 'string') return [{ type: 'text', content }];
  return list(content).map((part) => {
    const text = part['text'] ?? part['refusal'];
    return typeof text === 'string' ? { type: 'text', content: text } : { type: String(part['type']) };
  });
}

const toolCall = (id: unknown, { name, arguments: args }: Fields): MessagePart => ({ type: 'tool_call', ...idOf(id), name: typeof name === 'string' ? name : '', ...(typeof args === 'string' && { arguments: args }) });

const idOf = (id: unknown): { id?: string } => (typeof id === 'string' ? { id } : {});

/** In the words of the schema, which has no `developer`. */
function roleOf({ role }: Fields): string {
  if (role === 'developer') return 'system';
  return typeof role === 'string' ? role : 'assistant';
}

/** In the words of the schema. */
const ending = (reason: unknown): string => (reason === 'tool_calls' || reason === 'function_call' ? 'tool_call' : typeof reason === 'string' ? reason : 'error');

const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fieldsOf).filter((item) => item !== null) : []);

/** A text, or several. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
