import type { Usage } from '@deja/contracts';
import type { SseEvent } from '../dialects/sse.ts';
import type { ReadFailure } from './failure.ts';
import type { UpstreamReply } from './upstream.ts';

/** A whole reply as the next one who asks would get it. */
export interface KeptReply {
  /** JSON text, from which whole and streamed answers are rebuilt. */
  body: Buffer;
  /** Whether it may be kept at all: it ended cleanly, and was neither filtered nor refused. */
  storable: boolean;
  /** Whether it ended by itself: only then it is good for similar questions too. */
  complete: boolean;
}

/** A whole reply, read. `body` is what the client gets. */
export interface WholeReply extends KeptReply {
  /** The provider's own numbers; null when it gave none. */
  usage: Usage | null;
  /** Characters of the answer, for the estimate where there are no numbers. */
  producedChars: number;
  /** What it says, for a moderation model. */
  text: string;
  /** Id under which the provider keeps it, for later calls; null or absent when it does not. */
  storedId?: string | null;
  /** It was only begun: what it uses is known later. */
  underWay?: boolean;
  /** The rule of content safety that keeps this answer from the client. */
  blockedBy?: string;
}

/** What one event of the provider means for the client. */
export interface Relayed {
  /** Events to be sent on, ready for the wire; may be empty. */
  text: string;
  /** Whether the answer proper has begun: from then on nobody else can take over. */
  content: boolean;
}

/** Reads one provider stream and says what the client gets of it. */
export interface StreamReader {
  /** Throws an AttemptFailure for an error event, and `malformed` for what is no event of this provider. */
  push(event: SseEvent): Relayed;
  /** Whether the provider has said by itself that its answer is complete. */
  readonly ended: boolean;
  /** The connection ended before `ended`; throws an AttemptFailure unless that is how this provider ends. */
  finish(): Relayed;
  /** What closes the client's stream after a clean end. */
  readonly closing: string;
  readonly usage: Usage | null;
  readonly producedChars: number;
  /** Id under which the provider keeps the answer; null until it is known, and where it does not. */
  readonly storedId: string | null;
  /** What the answer has said since the last call of this, for a moderation model. */
  takeText(): string;
  /** The answer put together; null when there was none. */
  kept(): KeptReply | null;
}

/** One request put to one candidate in its own words, and how its answer is read. Made anew for every attempt. */
export interface Exchange {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Parameters the provider lacks and that were left out. */
  dropped: string[];
  /** Answers in place of a provider. */
  simulated?: (signal: AbortSignal) => UpstreamReply;
  whole(body: Buffer): WholeReply;
  stream(): StreamReader;
  failure: ReadFailure;
}
