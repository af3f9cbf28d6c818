import { masked } from '@deja/telemetry';
import type { MessagePart, TracedMessage } from './messages.ts';

/** So much of one attribute is recorded. */
export const MOST_BYTES = 16 * 1024;
/** More is searched for secrets than is recorded, so that none is cut before it can be recognised. */
const MARGIN_BYTES = 4 * 1024;
/** For telling how much was left out. */
const NOTE_BYTES = 128;

export interface BoundedJson {
  json: string;
  /** Something was left out, which the JSON tells too. */
  isCut: boolean;
}

/**
 * Messages as JSON text with secrets masked, at most `most` bytes long. Where that is too little, the ends that matter stay: of
 * a prompt the last messages, of an answer the first. A shortened text says of how many characters it is a part, and messages
 * that are left out are a part `cut` with their number.
 */
export function boundedJson(messages: readonly TracedMessage[], keep: 'first' | 'last', most = MOST_BYTES): BoundedJson {
  const rough = fitted(messages, keep, most + MARGIN_BYTES);
  const safe = JSON.parse(masked(JSON.stringify(rough.messages))) as TracedMessage[];
  const fine = fitted(safe, keep, most);
  return { json: JSON.stringify(fine.messages), isCut: rough.isCut || fine.isCut };
}

function fitted(messages: readonly TracedMessage[], keep: 'first' | 'last', most: number): { messages: TracedMessage[]; isCut: boolean } {
  if (bytesOf(messages) <= most) return { messages: [...messages], isCut: false };
  const kept: TracedMessage[] = [];
  let left = most - NOTE_BYTES;
  for (const message of keep === 'last' ? messages.toReversed() : messages) {
    const bytes = bytesOf(message) + 1;
    if (bytes > left) {
      const part = shortened(message, left);
      if (part !== null) kept.push(part);
      break;
    }
    kept.push(message);
    left -= bytes;
  }
  const dropped = keep === 'last' ? messages.slice(0, messages.length - kept.length) : messages.slice(kept.length);
  const missing = dropped.reduce((sum, { parts }) => sum + (parts[0]?.messages ?? 1), 0); // a note that was made before tells of several
  const role = keep === 'last' ? 'system' : 'assistant';
  if (missing > 0) kept.push({ role, parts: [{ type: 'cut', messages: missing }], ...(keep === 'first' && { finish_reason: 'cut' }) });
  return { messages: keep === 'last' ? kept.toReversed() : kept, isCut: true };
}

/** The beginning of a message; null where there is no room for any of it. */
function shortened(message: TracedMessage, most: number): TracedMessage | null {
  const parts: MessagePart[] = [];
  let left = most - bytesOf({ ...message, parts: [] }) - 1;
  for (const part of message.parts) {
    const bytes = bytesOf(part) + 1;
    if (bytes > left) {
      const beginning = shortenedPart(part, left);
      if (beginning !== null) parts.push(beginning);
      break;
    }
    parts.push(part);
    left -= bytes;
  }
  return parts.length === 0 ? null : { ...message, parts };
}

function shortenedPart(part: MessagePart, most: number): MessagePart | null {
  const field = (['content', 'arguments', 'response'] as const).find((name) => part[name] !== undefined);
  if (field === undefined) return null;
  const text = part[field] ?? '';
  const room = most - bytesOf({ ...part, [field]: '' });
  const note = `… [cut of ${text.length} characters]`;
  const beginning = beginningOf(text, room - bytesOf(note));
  return beginning === '' ? null : { ...part, [field]: beginning + note };
}

/** As many whole characters as JSON writes in so many bytes, about. */
function beginningOf(text: string, most: number): string {
  if (most <= 0) return '';
  let beginning = text.slice(0, most);
  for (let bytes = bytesOf(beginning) - 2; bytes > most; bytes = bytesOf(beginning) - 2) {
    beginning = beginning.slice(0, Math.min(beginning.length - 1, Math.floor((beginning.length * most) / bytes)));
  }
  return beginning.isWellFormed() ? beginning : beginning.slice(0, -1).toWellFormed();
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
