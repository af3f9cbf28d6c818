import { AttemptFailure } from '../attempt/failure.ts';

/** The most choices that one answer has. OpenAI gives at most 128. */
export const MOST_CHOICES = 1024;
/** The most members of one indexed list (tool calls, pictures), or of blocks and calls that are open at once. */
export const MOST_INDEXED = 1024;
/** The most places of one choice where texts are held back at once. */
export const MOST_HELD_TEXTS = 1024;
/** The most items of one response; each call of a built-in tool is one. */
export const MOST_ITEMS = 8192;
/** The most log probabilities that are held for the end of a stream: more than an answer has tokens. */
export const MOST_LOG_PROBS = 262_144;
/** The most names that the chunks of a stream have beside their choices. */
export const MOST_HEAD_NAMES = 256;
/** No answer longer than this is kept (cache/answer-store.ts), so no more of what one says is held. */
export const MAX_HELD_CHARS = 1024 * 1024;
/** Of all that is held of an answer, with what is not text: log probabilities, pictures, names. */
export const MAX_HELD_WITH_ALL = 8 * MAX_HELD_CHARS;

/** What has to be put together before it can be told is no longer than this. */
export const MOST_ANSWER_CHARS = 16 * MAX_HELD_CHARS;
/** Items of a response may hold pictures: in all, as much as a whole reply may have (attempt/reply-body.ts). */
export const MOST_ITEM_CHARS = 64 * MAX_HELD_CHARS;
/** Of all ids of one response. */
export const MOST_ID_CHARS = MAX_HELD_CHARS;

/** A provider that goes on without an end must not fill the memory: its stream is as good as broken. */
export function bounded(count: number, most: number, what: string): void {
  if (count > most) throw new AttemptFailure('malformed', { cause: new RangeError(`the stream has more than ${most} ${what}`) });
}
