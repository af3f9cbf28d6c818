/** How slow a client may be. Milliseconds. */
export interface ConnectionDeadlines {
  /** How often all connections are looked at: one timer for all of them, because one for each request would cost every request. */
  lookMs: number;
  /** In so long a body that is waited for has to have brought */
  bodyMs: number;
  /** so many bytes. */
  bodyBytes: number;
  /** After its answer, so much longer the rest of a body that nobody wants may come. */
  lingerMs: number;
  /** A client to which an answer is on its way reads some of it in so long. */
  unreadMs: number;
}

/** 512 bytes a second: less than any voice. Every stretch has to be so fast, so that a fast beginning buys no time. */
export const CONNECTION_DEADLINES: ConnectionDeadlines = { lookMs: 5000, bodyMs: 30_000, bodyBytes: 15 * 1024, lingerMs: 30_000, unreadMs: 60_000 };

/** What one look at a connection finds. */
export interface Sight {
  nowMs: number;
  /** A request that has not come whole; `answered` since then, null while it is not. `read` bytes have come by the connection; `unread`: some are here that nobody has taken, so the client waits for us. */
  body: { read: number; unread: boolean; answeredMs: number | null } | null;
  /** Bytes of answers that the client has taken, and whether some wait for it. */
  taken: number;
  waits: boolean;
}

/** Too slow with its body, with the end of a body that has been answered, or in reading. */
export type Slow = 'body' | 'lingering' | 'unread';

/** Follows one connection from look to look. */
export class Slowness {
  private body: { sinceMs: number; read: number } | null = null;
  private answer: { sinceMs: number; taken: number } | null = null;

  /** What it is too slow with; null while it is not. */
  look({ nowMs, body, taken, waits }: Sight, deadlines: ConnectionDeadlines): Slow | null {
    if (!waits || this.answer?.taken !== taken) this.answer = waits ? { sinceMs: nowMs, taken } : null;
    if (this.answer !== null && nowMs - this.answer.sinceMs >= deadlines.unreadMs) return 'unread';
    if (body === null || body.unread) {
      this.body = null;
      return null;
    }
    if (body.answeredMs !== null) return nowMs - body.answeredMs >= deadlines.lingerMs ? 'lingering' : null;
    this.body ??= { sinceMs: nowMs, read: body.read };
    if (nowMs - this.body.sinceMs < deadlines.bodyMs) return null;
    if (body.read - this.body.read < deadlines.bodyBytes) return 'body';
    this.body = { sinceMs: nowMs, read: body.read };
    return null;
  }
}
