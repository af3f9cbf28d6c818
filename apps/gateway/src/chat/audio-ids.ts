import type { StoredIds } from '../attempt/exchange.ts';

/** The ids of what an answer says aloud, by which a later message repeats it (OpenAI, "Audio" guide: `messages[].audio.id`). Takes messages, or deltas of them. */
export function audioIds(messages: readonly unknown[]): StoredIds['parts'] {
  return messages.flatMap((message) => {
    const id = (message as { audio?: { id?: unknown } | null } | null | undefined)?.audio?.id;
    return typeof id === 'string' ? [{ kind: 'audio' as const, id }] : [];
  });
}
