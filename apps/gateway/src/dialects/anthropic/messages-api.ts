/** One block of content in Anthropic's Messages API (API reference, "Messages"). */
export interface Block {
  type: string;
  [field: string]: unknown;
}

/** One turn of the conversation: at Anthropic, roles alternate. */
export interface Turn {
  role: 'user' | 'assistant';
  content: Block[];
}

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

export const isBlock = (value: unknown): value is Block => isObject(value) && typeof value['type'] === 'string';

/** A field of something that may be no object; undefined when there is none. */
export const fieldOf = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);

/** A text field; the empty string when there is none. */
export function textOf(value: unknown, name: string): string {
  const text = fieldOf(value, name);
  return typeof text === 'string' ? text : '';
}
