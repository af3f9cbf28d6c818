/** The last turn of a chat request, when it is a user turn of nothing but text. */
export interface LastUserMessage {
  /** All turns; the last of them is `message`. */
  readonly messages: readonly unknown[];
  readonly message: Readonly<Record<string, unknown>>;
  /** Its text; several parts are joined by a line feed. */
  readonly text: string;
}

/** null when there are no messages, the last one is not the user's, or its content is not a string or text parts only. */
export function lastUserMessage(request: Readonly<Record<string, unknown>>): LastUserMessage | null {
  const messages = request['messages'];
  if (!Array.isArray(messages)) return null;
  const message: unknown = messages.at(-1);
  if (!isObject(message) || message['role'] !== 'user') return null;
  const text = textOf(message['content']);
  return text === null ? null : { messages, message, text };
}

/** The text the user sent last, null when it is not just text (see `lastUserMessage`). */
export const lastUserText = (body: { readonly value: Readonly<Record<string, unknown>> }): string | null => lastUserMessage(body.value)?.text ?? null;

function textOf(content: unknown): string | null {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content) || content.length === 0) return null;
  const texts: string[] = [];
  for (const part of content as unknown[]) {
    if (!isObject(part) || part['type'] !== 'text' || typeof part['text'] !== 'string') return null;
    texts.push(part['text']);
  }
  return texts.join('\n');
}

export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
