import type { Usage } from '@deja/contracts';
import { nonTextTokens } from '../chat/completion.ts';
import { KeyCounter } from './key-counter.ts';

/** What an endpoint makes or hears; null where nothing but text. */
export type Medium = 'images' | 'speech' | 'transcript' | null;

/** What is known of a call before its reply. */
export interface AskedFor {
  medium: Medium;
  /** Unicode code points to be read aloud; null where nothing is, or nobody counted. */
  characters: number | null;
}

/** Enough for any `usage` object, which stands at or near the end of every reply that has one. */
const TAIL_BYTES = 16 * 1024;
/** Where a transcript tells how long the recording is. */
const HEAD_BYTES = 1024;

const NOTHING: Usage = { promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** Keeps the ends of a reply as it streams by, and finds the usage reported there; where none is, what else tells how much was used. */
export class ReportedUsage {
  private tail: Buffer = Buffer.alloc(0);
  private head: Buffer = Buffer.alloc(0);
  private total = 0;
  /** Each image of a reply has its bytes or its address (OpenAI's API reference, "Image"); some servers write both. */
  private readonly images = [new KeyCounter('"b64_json"'), new KeyCounter('"url"')] as const;

  constructor(private readonly asked: AskedFor) {}

  add(chunk: Uint8Array): void {
    this.total += chunk.length;
    const joined = chunk.length >= TAIL_BYTES ? Buffer.from(chunk.subarray(chunk.length - TAIL_BYTES)) : Buffer.concat([this.tail, chunk]);
    this.tail = joined.length > TAIL_BYTES ? joined.subarray(joined.length - TAIL_BYTES) : joined;
    if (this.head.length < HEAD_BYTES) this.head = Buffer.concat([this.head, chunk.subarray(0, HEAD_BYTES - this.head.length)]);
    if (this.asked.medium === 'images') for (const counter of this.images) counter.add(chunk);
  }

  get bytes(): number {
    return this.total;
  }

  /** Of a whole reply; null when it does not tell. */
  get usage(): Usage | null {
    return this.said ?? this.measured;
  }

  /** Of a reply that broke off: what does not depend on its end. */
  get usageSoFar(): Usage | null {
    return this.said ?? (this.asked.medium === 'speech' ? this.measured : null);
  }

  private get said(): Usage | null {
    return lastUsageIn(this.tail.toString('utf8'), this.asked.medium);
  }

  private get measured(): Usage | null {
    const { medium, characters } = this.asked;
    switch (medium) {
      case 'images': {
        const images = Math.max(...this.images.map(({ count }) => count));
        return images > 0 ? { ...NOTHING, images } : null;
      }
      case 'speech':
        return characters === null ? null : { ...NOTHING, characters };
      case 'transcript': {
        const seconds = secondsIn(this.head.toString('utf8'));
        return seconds === null ? null : { ...NOTHING, audioSeconds: seconds };
      }
      case null:
        return null;
    }
  }
}

/** So many objects called `usage` that count nothing are looked at, from the end: each may be read to the end of the text, and a text can be made of nothing else. */
const MOST_LOOKED_AT = 64;

/** The last object called `usage` in a JSON text or an event stream; null when there is none that counts. */
export function lastUsageIn(text: string, medium: Medium = null): Usage | null {
  let looked = 0;
  for (let at = text.lastIndexOf('"usage"'); at >= 0 && looked < MOST_LOOKED_AT; at = at === 0 ? -1 : text.lastIndexOf('"usage"', at - 1)) {
    const open = /^"usage"\s*:\s*\{/.exec(text.slice(at, at + 64));
    if (open === null) continue;
    looked++;
    const usage = countsOf(objectAt(text, at + open[0].length - 1), medium);
    if (usage) return usage;
  }
  return null;
}

/** The JSON object that begins at this brace, parsed; null when it does not end or is none. */
function objectAt(text: string, brace: number): Record<string, unknown> | null {
  let depth = 0;
  let quoted = false;
  for (let i = brace; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) {
      try {
        return JSON.parse(text.slice(brace, i + 1)) as Record<string, unknown>;
      } catch {
        return null; // not JSON after all
      }
    }
  }
  return null;
}

const MOST_TOKENS = 1_000_000_000;
/** A year of sound. */
const MOST_SECONDS = 366 * 86_400;
const isUpTo = (value: unknown, most: number): value is number => typeof value === 'number' && value >= 0 && value <= most;
const count = (value: unknown): number | null => (isUpTo(value, MOST_TOKENS) ? Math.round(value) : null);
const objectIn = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});

/** Forms as in OpenAI's API reference: ImagesUsage, ImageGenUsage, TranscriptTextUsageTokens (which says `input_token_details`), TranscriptTextUsageDuration, SpeechAudioDoneEvent. */
function countsOf(usage: Record<string, unknown> | null, medium: Medium): Usage | null {
  if (usage?.['type'] === 'duration') return isUpTo(usage['seconds'], MOST_SECONDS) ? { ...NOTHING, audioSeconds: usage['seconds'] } : null;
  const promptTokens = count(usage?.['input_tokens'] ?? usage?.['prompt_tokens']);
  if (usage === null || promptTokens === null) return null;
  const completionTokens = count(usage['output_tokens'] ?? usage['completion_tokens']) ?? 0;
  const input = objectIn(usage['input_tokens_details'] ?? usage['input_token_details'] ?? usage['prompt_tokens_details']);
  const output = objectIn(usage['output_tokens_details'] ?? usage['completion_tokens_details']);
  // Where nobody says of what kind they are, they are of the kind that the endpoint is for.
  const heard = medium === 'transcript' && input['text_tokens'] === undefined ? promptTokens : undefined;
  const spoken = medium === 'speech' ? completionTokens : undefined;
  const painted = medium === 'images' && output['text_tokens'] === undefined ? completionTokens : undefined;
  const others = nonTextTokens({
    promptTokens, completionTokens,
    audioIn: input['audio_tokens'] ?? heard, imageIn: input['image_tokens'], audioOut: output['audio_tokens'] ?? spoken, imageOut: output['image_tokens'] ?? painted,
  });
  return { ...NOTHING, promptTokens, completionTokens, ...others };
}

/** How long the recording of a transcript (`verbose_json`) is: told before its text, which may have any words in it. */
function secondsIn(head: string): number | null {
  const text = head.indexOf('"text"');
  const told = /^\s*\{/.test(head) ? /"duration"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(text < 0 ? head : head.slice(0, text)) : null;
  const seconds = told === null ? null : Number(told[1]);
  return isUpTo(seconds, MOST_SECONDS) ? seconds : null;
}
