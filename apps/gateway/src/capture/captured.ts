import type { CaptureMode, ErrorBody, Principal, Settings } from '@deja/contracts';
import type { JsonBody } from '../validate/json-body.ts';

/** One body, as it is to be captured. */
export interface NotedBody {
  /** As it went over the wire, or would have: JSON. */
  text: string | Buffer;
  /** The same parsed, where that was done anyway. */
  value?: unknown;
  /** `shape`: what anybody wrote in it is not kept, whatever the mode says. `all`: there is nothing of that in it. */
  keep: 'by_mode' | 'shape' | 'all';
  /** There was more of it than could be held. */
  cut: boolean;
}

/** How much of a stream is held to be put together (chat/completion-stream.ts); what grew longer has lost its text. */
const MOST_HELD_CHARS = 1024 * 1024;
/** What is passed through is held only while it is no longer than this. */
const MOST_COLLECTED_BYTES = 256 * 1024;

/** What the request log is to have of one operation: noted on its way, read when it is settled. Noting it costs nothing, and throws nothing. */
export class Captured {
  readonly settings: Pick<Settings, 'capture' | 'request_log' | 'content_safety'>;
  request: NotedBody | null = null;
  response: NotedBody | null = null;
  /** The error that the client got, in place of an answer or at its end. */
  error: ErrorBody | null = null;
  /** A body that passed the guard, and the members in which people wrote. */
  prompt: { body: JsonBody; members: readonly string[] } | null = null;

  constructor(settings: Captured['settings']) {
    this.settings = settings;
  }

  /** A request as it came, before anybody looked at it: what redaction would take out of it, or blocks, must not be kept. */
  came(bytes: Buffer): void {
    this.request = { text: bytes, keep: 'shape', cut: false };
  }

  /** The request as it goes on. @param members in which people write; content rules pass over an endpoint that has none */
  asked(body: JsonBody, members: readonly string[]): void {
    const unseen = members.length === 0 && takesFromPrompts(this.settings.content_safety);
    this.request = { text: body.text, value: body.value, keep: unseen ? 'shape' : 'by_mode', cut: false };
    if (!unseen && members.length > 0) this.prompt = { body, members };
  }

  /** A form: nothing of it is held. */
  sentForm(contentType: string): void {
    this.request = leftOut(contentType.replace(/;.*$/s, ''), null);
  }

  /** A whole reply, JSON; of a stream, the same put together. @param producedChars of the stream */
  replied(body: Buffer, producedChars = 0): void {
    this.response = { text: body, keep: 'by_mode', cut: producedChars > MOST_HELD_CHARS };
  }

  /** A reply of which its shape is all that is kept. */
  repliedAs(shape: object): void {
    this.response = { text: JSON.stringify(shape), keep: 'all', cut: false };
  }

  /** What has come of a stream, put together; where it broke off, its beginning. `shapeOnly`: the client got less of it. */
  streamed(soFar: () => { body: Buffer } | null, { producedChars = 0, shapeOnly = false }: { producedChars?: number; shapeOnly?: boolean } = {}): void {
    try {
      const kept = soFar();
      if (kept !== null) this.response = { text: kept.body, keep: shapeOnly ? 'shape' : 'by_mode', cut: producedChars > MOST_HELD_CHARS };
    } catch {
      // Half an answer may be one that cannot be put together.
    }
  }

  /** For a reply that is passed on as it comes: what its bytes are to be given to. */
  passing(endpoint: string, contentType: string): PassingReply {
    return new PassingReply(isJson(contentType) && !endpoint.endsWith('/content'), (body, bytes) => {
      if (body === null) this.response = leftOut(contentType, bytes);
      else this.replied(body);
    });
  }

  failed(error: ErrorBody): void {
    this.error = error;
  }

  /** Of this client; the key's own mode goes before its tenant's, and that before everyone's. */
  modeFor(principal: Pick<Principal, 'capture'>): CaptureMode {
    return modeFor(principal, this.settings);
  }
}

/** A reply on its way through: held while it is JSON and small, else only counted. */
class PassingReply {
  private chunks: Buffer[] = [];
  private bytes = 0;
  private held: boolean;
  private readonly note: (body: Buffer | null, bytes: number) => void;

  constructor(held: boolean, note: (body: Buffer | null, bytes: number) => void) {
    this.held = held;
    this.note = note;
  }

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.held &&= this.bytes <= MOST_COLLECTED_BYTES;
    if (this.held) this.chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    else this.chunks = [];
  }

  /** It ended, or broke off. */
  ended(): void {
    if (this.bytes > 0) this.note(this.held ? Buffer.concat(this.chunks) : null, this.bytes);
  }
}

/** What is to be captured of this client's operation; null: nothing. @param forTrace its span is to have what was said (trace/content.ts), whatever the request log keeps */
export function capturedFor(principal: Pick<Principal, 'capture'>, settings: Captured['settings'], forTrace = false): Captured | null {
  const mode = modeFor(principal, settings);
  return mode === 'full' || mode === 'metadata' || forTrace ? new Captured(settings) : null;
}

const modeFor = (principal: Pick<Principal, 'capture'>, settings: Pick<Settings, 'capture'>): CaptureMode => principal.capture ?? settings.capture;

/** In place of a body that is not held: what it was. */
function leftOut(contentType: string, bytes: number | null): NotedBody {
  const value = { left_out: true, content_type: contentType.slice(0, 100), ...(bytes !== null && { bytes }) };
  return { text: JSON.stringify(value), keep: 'all', cut: false };
}

const isJson = (contentType: string): boolean => /^[^;]*\bjson\b/i.test(contentType);

/** Whether a rule takes something out of prompts, or blocks them. */
const takesFromPrompts = ({ prompts, deny }: Settings['content_safety']): boolean =>
  Object.values(prompts).some((action) => action === 'redact' || action === 'block') || deny.some(({ action, on }) => action !== 'flag' && on.includes('prompts'));
