import type { ChatCompletion, CompletionChoice } from '../chat/completion.ts';
import { SSE_DONE, sseEvent } from '../dialects/sse.ts';

const PIECE_CHARS = 256;

/** A whole reply as the stream a provider would have sent: for a streaming client who is answered from the cache. */
export function* streamOf(completion: ChatCompletion, includeUsage: boolean): Generator<string> {
  const { choices, usage, object: _object, ...head } = completion;
  const chunk = (fields: Record<string, unknown>): string =>
    sseEvent(JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields, ...(includeUsage && !('usage' in fields) && { usage: null }) }));
  for (const choice of choices) for (const part of choiceParts(choice)) yield chunk({ choices: [part] });
  if (includeUsage) yield chunk({ choices: [], usage: usage ?? null });
  yield sseEvent(SSE_DONE);
}

function* choiceParts(choice: CompletionChoice): Generator<Record<string, unknown>> {
  const { index, message, finish_reason, ...rest } = choice;
  const { content, tool_calls: toolCalls, ...first } = message;
  const part = (delta: Record<string, unknown>, finish: string | null = null): Record<string, unknown> => ({ index, delta, finish_reason: finish });
  yield { ...part({ ...first, ...(typeof content === 'string' ? { content: '' } : { content: content ?? null }) }), ...rest };
  if (typeof content === 'string') for (const piece of pieces(content)) yield part({ content: piece });
  if (Array.isArray(toolCalls)) yield part({ tool_calls: toolCalls.map((call: object, position) => ({ index: position, ...call })) });
  yield part({}, finish_reason);
}

/** Cuts text without splitting a surrogate pair. */
function* pieces(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + PIECE_CHARS, text.length);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to--;
    yield text.slice(from, to);
    from = to;
  }
}
