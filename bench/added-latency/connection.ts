import { connect, type Socket } from 'node:net';
import type { Target } from './work.ts';

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
  /** Value of `x-cache-reason`, null without one. */
  reason: string | null;
  /** Value of `retry-after`, null without one. */
  retryAfter: string | null;
  firstByteMs: number;
  /** The longest time between two pieces of the body, as they arrive; 0 of a body in one piece. */
  longestGapMs: number;
  durationMs: number;
}

interface Head {
  status: number;
  cache: string | null;
  reason: string | null;
  retryAfter: string | null;
  bodyAt: number;
  /** null: the body comes in chunks. */
  length: number | null;
  /** The server takes no further request by this connection. */
  isLast: boolean;
}

/**
 * One HTTP/1.1 connection that is used again and again, one request at a time. No client library: what it costs to send a request must be small
 * against what is measured. Understands answers with a content length, and those in chunks.
 */
export class Connection {
  private readonly socket: Socket;
  private readonly head: string;
  private waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | null = null;
  private startedMs = 0;
  private usedMs = performance.now();
  private firstByteMs = 0;
  private lastPieceMs = 0;
  private longestGapMs = 0;
  private received: Buffer = Buffer.alloc(0);
  private answer: Head | null = null;

  private constructor(socket: Socket, target: Target) {
    this.socket = socket;
    this.head = requestHead(target);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('the connection was closed before the answer was complete')));
  }

  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(target.port, '127.0.0.1', () => resolve(new Connection(socket, target)));
      socket.once('error', reject);
    });
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  get isFresh(): boolean {
    return !this.socket.destroyed && performance.now() - this.usedMs < FRESH_MS;
  }

  send(body: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.received = Buffer.alloc(0);
      this.answer = null;
      this.firstByteMs = 0;
      this.longestGapMs = 0;
      this.startedMs = performance.now();
      this.socket.write(`${this.head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.waiting = null;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    const nowMs = performance.now();
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    this.answer ??= headOf(this.received);
    if (this.answer === null) return;
    const { bodyAt, length, isLast, ...told } = this.answer;
    const isComplete = length === null ? this.received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) : this.received.length >= bodyAt + length;
    if (this.received.length > bodyAt) {
      if (this.firstByteMs === 0) this.firstByteMs = nowMs - this.startedMs;
      else this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.lastPieceMs);
      this.lastPieceMs = nowMs;
    }
    if (!isComplete) return;
    const { waiting } = this;
    this.waiting = null;
    this.usedMs = nowMs;
    if (isLast) this.socket.destroy();
    waiting?.resolve({ ...told, firstByteMs: this.firstByteMs, longestGapMs: this.longestGapMs, durationMs: nowMs - this.startedMs });
  }
}

/** All of a request's head but its length, which is the last line. */
function requestHead({ key, path = '/v1/chat/completions', headers = {} }: Target): string {
  const lines = Object.entries({ host: 'localhost', authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}`;
}

function headOf(received: Buffer): Head | null {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return null;
  const text = received.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  return {
    status: Number(text.slice(9, 12)),
    cache: /\r\nx-cache: *([A-Z-]+)/i.exec(text)?.[1] ?? null,
    reason: /\r\nx-cache-reason: *(\w+)/i.exec(text)?.[1] ?? null,
    retryAfter: /\r\nretry-after: *(\d+)/i.exec(text)?.[1] ?? null,
    bodyAt: end + HEAD_END.length,
    length: length === undefined ? null : Number(length),
    isLast: /\r\nconnection: *close/i.test(text),
  };
}
