import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** Servers close connections that nobody used for a while; one that is fresher than this is surely open. */
const FRESH_MS = 3000;
/** An answer that takes longer is a failure of what is measured. */
const ANSWER_MS = 30_000;
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export interface Reply {
  status: number;
  /** Value of `x-cache`, null without one. */
  cache: string | null;
  firstByteMs: number;
  durationMs: number;
}

/**
 * One HTTP/1.1 connection that is used again and again, one request at a time. No client library: what it costs to send a request must be small
 * against what is measured. Understands what the two servers of this benchmark send: a content length, or chunks.
 */
export class Connection {
  private readonly socket: Socket;
  private waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | null = null;
  private startedMs = 0;
  private usedMs = performance.now();
  private firstByteMs = 0;
  private received: Buffer = Buffer.alloc(0);
  private head: { status: number; cache: string | null; bodyAt: number; length: number | null } | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('the connection was closed before the answer was complete')));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  get isFresh(): boolean {
    return !this.socket.destroyed && performance.now() - this.usedMs < FRESH_MS;
  }

  send(key: string, body: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.received = Buffer.alloc(0);
      this.head = null;
      this.firstByteMs = 0;
      this.startedMs = performance.now();
      this.socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  }

  close(): void {
    this.waiting = null;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    const nowMs = performance.now();
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    this.head ??= headOf(this.received);
    if (this.head === null) return;
    const { status, cache, bodyAt, length } = this.head;
    if (this.received.length > bodyAt) this.firstByteMs ||= nowMs - this.startedMs;
    const isComplete = length === null ? this.received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) : this.received.length >= bodyAt + length;
    if (!isComplete) return;
    const { waiting } = this;
    this.waiting = null;
    this.usedMs = nowMs;
    waiting?.resolve({ status, cache, firstByteMs: this.firstByteMs, durationMs: nowMs - this.startedMs });
  }
}

/** `length` null: the body comes in chunks. */
function headOf(received: Buffer): { status: number; cache: string | null; bodyAt: number; length: number | null } | null {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return null;
  const text = received.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  return { status: Number(text.slice(9, 12)), cache: /\r\nx-cache: *([A-Z-]+)/i.exec(text)?.[1] ?? null, bodyAt: end + HEAD_END.length, length: length === undefined ? null : Number(length) };
}
