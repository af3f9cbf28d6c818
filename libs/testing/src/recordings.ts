import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Real replies of provider APIs (see NOTICE). `*.json` is a whole reply, `*.chunks.jsonl` a stream with one SSE `data:` payload a line. */
const FOLDER = join(import.meta.dirname, '..', 'recordings');

/** Names of all recordings, such as `anthropic/anthropic-text.json`, sorted. */
export const recordingNames = (pattern = '*/*'): string[] => globSync(pattern, { cwd: FOLDER }).sort();

/** A recorded reply's text, byte for byte. */
export const recordedText = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

/** A recorded whole reply, parsed. */
export const recordedReply = (name: string): unknown => JSON.parse(recordedText(name)) as unknown;

/** The `data:` payloads of a recorded stream, in order. */
export const recordedEvents = (name: string): string[] => recordedText(name).split('\n').filter((line) => line.trim() !== '');

/**
 * A recorded stream as the bytes a provider would have sent.
 * @param dialect how the provider frames events: OpenAI's chat ends with `[DONE]`; Anthropic and OpenAI's responses name each event after its `type`; Gemini just ends
 */
export function recordedSse(name: string, dialect: 'openai' | 'typed' | 'gemini'): Buffer {
  const events = recordedEvents(name).map((data) => {
    const type = dialect === 'typed' ? (JSON.parse(data) as { type?: string }).type : undefined;
    return `${type === undefined ? '' : `event: ${type}\n`}data: ${data}\n\n`;
  });
  return Buffer.from(events.join('') + (dialect === 'openai' ? 'data: [DONE]\n\n' : ''));
}
