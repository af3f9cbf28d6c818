import { DejaError } from '@deja/contracts';

/** Soon enough for a burst to be over. */
const RETRY_AFTER_MS = 1000;

/**
 * How much memory the bodies that are on their way in may take together: each is bounded, but not how many there are. An account of bytes that are held
 * while a body is read; what has been read is an operation's, and those are bounded by their number. Of a form it has what is not sent on at once.
 */
export class BodyMemory {
  private held = 0;

  /** @param refused called for each body that there was no room for */
  constructor(
    private readonly mostBytes: number,
    private readonly refused: () => void = () => undefined,
  ) {}

  get heldBytes(): number {
    return this.held;
  }

  /** Throws a 503 `overloaded` when there is no room for so many more bytes. */
  take(bytes: number): void {
    if (this.held + bytes > this.mostBytes) {
      this.refused();
      throw new DejaError('overloaded', 'Too many request bodies are on their way at the moment.', { retryAfterMs: RETRY_AFTER_MS });
    }
    this.held += bytes;
  }

  give(bytes: number): void {
    this.held -= bytes;
  }

  /** For one body. */
  share(): BodyShare {
    return new BodyShare(this);
  }
}

/** What one body takes of the account, until it is released for good. */
export class BodyShare {
  private held = 0;
  private isReleased = false;

  constructor(private readonly memory: BodyMemory) {}

  /** Throws a 503 `overloaded` when there is no room for so many more bytes. */
  take(bytes: number): void {
    if (this.isReleased) return;
    this.memory.take(bytes);
    this.held += bytes;
  }

  /** So many are not held any more. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.held);
    this.memory.give(given);
    this.held -= given;
  }

  release(): void {
    this.isReleased = true;
    this.memory.give(this.held);
    this.held = 0;
  }
}
