import { GatheredBytes } from '../pipeline/gathered-bytes.ts';
import { AttemptFailure } from './failure.ts';

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;
/** So much of an answer is held that nobody has read yet; then the provider has to wait. */
const MOST_UNREAD_BYTES = 64 * 1024;

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** What a body can do to the connection that it comes by. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Called once, when the body is over for whoever reads it: at its end, or because nobody reads on. */
  closed(): void;
}

/**
 * The body of an answer as it comes, to be read once. A plain queue, because Node's streams cost more than all that is done with the
 * body of a short answer. What breaks off has broken off: of what came before and was not read, nothing is given out any more.
 */
export class ReplyBody implements AsyncIterableIterator<Uint8Array, undefined> {
  private readonly unread: Uint8Array[] = [];
  private unreadBytes = 0;
  private isPaused = false;
  private hasEnded = false;
  private isClosed = false;
  private failure: AttemptFailure | null = null;
  private waiting: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | null = null;

  constructor(private readonly source: BodySource) {}

  push(chunk: Uint8Array): void {
    if (this.isClosed) return;
    if (this.waiting !== null) return this.take().resolve({ done: false, value: chunk });
    this.unread.push(chunk);
    this.unreadBytes += chunk.length;
    if (this.unreadBytes < MOST_UNREAD_BYTES || this.isPaused) return;
    this.isPaused = true;
    this.source.pause();
  }

  end(): void {
    this.hasEnded = true;
    if (this.waiting !== null) this.take().resolve(this.close());
  }

  fail(failure: AttemptFailure): void {
    if (this.isClosed) return;
    this.failure = failure;
    this.unread.length = 0;
    if (this.waiting === null) return;
    this.close();
    this.take().reject(failure);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = this.unread.shift();
    if (value !== undefined) {
      this.unreadBytes -= value.length;
      if (this.isPaused && this.unreadBytes < MOST_UNREAD_BYTES) {
        this.isPaused = false;
        this.source.resume(); // may push at once
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.failure !== null) {
      this.close();
      return Promise.reject(this.failure);
    }
    if (this.hasEnded || this.isClosed) return Promise.resolve(this.close());
    this.waiting = Promise.withResolvers();
    return this.waiting.promise;
  }

  /** Nobody reads on: the call ends, if it still runs. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.close();
    if (this.waiting !== null) this.take().resolve(DONE);
    return Promise.resolve(DONE);
  }

  private take(): PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> {
    const { waiting } = this;
    if (waiting === null) throw new Error('nobody waits for the body');
    this.waiting = null;
    return waiting;
  }

  private close(): IteratorReturnResult<undefined> {
    if (this.isClosed) return DONE;
    this.isClosed = true;
    this.unread.length = 0;
    this.source.closed();
    return DONE;
  }
}

/** Reads a whole reply; throws `malformed` when it is absurdly long. */
export async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const gathered = new GatheredBytes();
  for await (const chunk of body) {
    if (gathered.length + chunk.length > MAX_WHOLE_BYTES) throw new AttemptFailure('malformed', { cause: new RangeError('the reply is too long') });
    gathered.add(chunk);
  }
  return gathered.bytes();
}

/** The beginning of an error body; what comes after that is not worth waiting for. */
export async function errorText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const gathered = new GatheredBytes();
  try {
    for await (const chunk of body) {
      gathered.add(chunk);
      if (gathered.length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // The status already says what happened; a broken error body adds nothing.
  }
  return gathered.bytes().toString('utf8');
}
