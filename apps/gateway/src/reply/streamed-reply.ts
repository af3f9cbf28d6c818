import type { ServerResponse } from 'node:http';
import type { Settings } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import type { Operation } from '../operation/operation.ts';
import { beginStream, sendPiece } from './reply.ts';

/** A comment: every reader of server-sent events passes over it. */
const KEEP_ALIVE = ': keep-alive\n\n';

/**
 * The stream to one client. Its head goes out with the first piece, so that until then another provider may still answer;
 * or, where keep-alive comments are switched on, with the first comment: from then on an error can only be an event.
 */
export class StreamedReply {
  private begun = false;
  private readonly keepAlive: NodeJS.Timeout | null;

  constructor(
    private readonly response: ServerResponse,
    private readonly operation: Operation,
    private readonly settings: Pick<Settings, 'streams' | 'timeouts'>,
  ) {
    const everyMs = settings.streams.keep_alive_ms;
    this.keepAlive = everyMs > 0 ? setInterval(() => this.comment(), everyMs) : null;
    response.once('close', () => this.stop());
  }

  /** Waits while the client is slower than the provider. Throws an AttemptFailure when it is gone. */
  async send(text: string): Promise<void> {
    this.begin();
    this.keepAlive?.refresh();
    await sendPiece(this.response, this.operation, text, this.settings.timeouts.idle_ms);
    if (this.operation.abandoned) throw new AttemptFailure('cancelled');
  }

  async end(closing: string): Promise<void> {
    this.stop();
    this.begin();
    this.response.end(closing);
  }

  /** The wait for the provider is over, whatever came of it. */
  answered(): void {
    this.keepAlive?.refresh();
  }

  private comment(): void {
    if (this.operation.abandoned || this.response.writableEnded) return this.stop();
    this.begin();
    // A client that does not read gets no more to read.
    if (!this.response.writableNeedDrain) this.response.write(KEEP_ALIVE);
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    beginStream(this.response, this.operation);
  }

  private stop(): void {
    if (this.keepAlive) clearInterval(this.keepAlive);
  }
}
