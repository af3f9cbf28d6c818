import type { Usage } from '@deja/contracts';
import type { SseEvent } from '../dialects/sse.ts';
import type { AnswerPart } from '../objects/stored-objects.ts';
import type { Said } from './answer-tokens.ts';
import type { ReadFailure } from './failure.ts';
import type { UpstreamReply } from './upstream.ts';

/** Ids by which later calls may name an answer that the provider keeps, and parts of it. */
export interface StoredIds {
  /** null: it is kept under no id, or under none that is known yet. */
  response: string | null;
  parts: readonly AnswerPart[];
}

export const NOTHING_STORED: StoredIds = Object.freeze({ response: null, parts: [] });

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
  /** Every text that the provider's answer says, for the count where there are no numbers. */
  said(): readonly string[];
  /** What it says, for a moderation model. */
  text: string;
  /** Absent where nothing is kept. */
  storedIds?: StoredIds;
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
  /** Characters so far: what counts against limits while it runs. */
  readonly producedChars: number;
  /** What it has said so far. */
  said(): Said;
  /** Those that were told so far. */
  readonly storedIds: StoredIds;
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
