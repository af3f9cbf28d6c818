import { NOTHING_STORED, type KeptReply, type Relayed, type StreamReader } from '../attempt/exchange.ts';
import type { Transcript } from '../attempt/transcript.ts';
import { SSE_DONE, sseEvent, type SseEvent } from '../dialects/sse.ts';
import { scanMembers, withMembers } from '../validate/json-body.ts';
import { audioIds } from './audio-ids.ts';
import { isComplete, isStorable } from './completion.ts';
import type { ChatCall } from './chat-exchange.ts';
import { ChunkReader } from './chunk-reader.ts';
import type { ChunkSource, SourcedChunk } from './chunk-source.ts';

/** A chat stream for a client of chat completions. */
export class ChatReader extends ChunkReader implements StreamReader {
  readonly closing = sseEvent(SSE_DONE);
  storedIds = NOTHING_STORED;

  constructor(
    source: ChunkSource,
    /** Whether the client asked for usage; upstream always is. */
    private readonly includeUsage: boolean,
    usageIn: ChatCall['usageIn'],
    transcript: Transcript,
  ) {
    super(source, usageIn, transcript);
  }

  push(event: SseEvent): Relayed {
    return this.relay(this.source.push(event));
  }

  finish(): Relayed {
    return this.relay(this.source.finish());
  }

  kept(): KeptReply | null {
    const completion = this.assembler.completion();
    if (completion.choices.length === 0) return null;
    return { body: Buffer.from(JSON.stringify(completion)), storable: !this.assembler.tooLong && isStorable(completion), complete: isComplete(completion) };
  }

  private relay(chunks: SourcedChunk[]): Relayed {
    let text = '';
    let content = false;
    for (const { chunk, text: json } of chunks) {
      const kind = this.take(chunk);
      if (kind === 'usage' && !this.includeUsage) continue;
      if (kind === 'content') {
        content = true;
        this.transcript.add(spoken(chunk));
      }
      this.noteAudio(chunk);
      text += sseEvent(this.includeUsage ? json : withoutUsage(chunk, json));
    }
    return { text, content };
  }

  /** The id comes with the first piece of sound. */
  private noteAudio(chunk: unknown): void {
    const ids = audioIds((chunk as { choices: { delta?: unknown }[] }).choices.map(({ delta }) => delta));
    if (ids.length > 0) this.storedIds = { response: null, parts: [...this.storedIds.parts, ...ids] };
  }
}

const USAGE_LAST = ',"usage":null}';

/** A chunk as it is without `include_usage`: no `usage: null`, and none on the last chunk that has choices, where some servers put it. Every other byte stays. */
export function withoutUsage(chunk: unknown, json: string): string {
  if (json.endsWith(USAGE_LAST)) return `${json.slice(0, -USAGE_LAST.length)}}`; // as OpenAI writes it; no need to look for it
  const value = chunk as Record<string, unknown>;
  return Object.hasOwn(value, 'usage') ? withMembers({ text: json, value, members: scanMembers(json) }, { usage: null }) : json;
}

function spoken(chunk: unknown): string {
  const { choices } = chunk as { choices: { delta?: { content?: unknown; refusal?: unknown } }[] };
  return choices.map(({ delta }) => [delta?.content, delta?.refusal].filter((text) => typeof text === 'string').join('')).join('');
}
