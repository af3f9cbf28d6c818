import type { CompletionUsage } from '../chat/completion.ts';
import { SSE_DONE, sseEvent } from '../dialects/sse.ts';

/** The parts of a legacy completion deja reads; the rest passes through. */
export interface TextCompletion {
  choices: TextChoice[];
  usage?: CompletionUsage | null;
  [field: string]: unknown;
}

export interface TextChoice {
  index: number;
  text: string;
  finish_reason: string | null;
  logprobs?: unknown;
}

/** null for anything that is no legacy completion. */
export function asTextCompletion(value: unknown): TextCompletion | null {
  const { choices } = (value ?? {}) as { choices?: unknown };
  if (!Array.isArray(choices) || choices.length === 0) return null;
  return choices.every((choice: unknown) => typeof (choice as TextChoice | null)?.text === 'string') ? (value as TextCompletion) : null;
}

/** Whether it may be kept for the next one who asks the same: complete, and not filtered. */
export const isStorableText = ({ choices }: TextCompletion): boolean => choices.every(({ finish_reason: finish }) => typeof finish === 'string' && finish !== 'content_filter');

/** A whole completion as the stream a provider would have sent. */
export function* textStreamOf({ choices, usage, ...head }: TextCompletion, includeUsage: boolean): Generator<string> {
  const event = (fields: object): string => sseEvent(JSON.stringify({ ...head, ...fields, ...(includeUsage && !('usage' in fields) && { usage: null }) }));
  for (const choice of choices) yield event({ choices: [choice] });
  if (includeUsage) yield event({ choices: [], usage: usage ?? null });
  yield sseEvent(SSE_DONE);
}
