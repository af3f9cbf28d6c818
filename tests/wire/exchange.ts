import { connect } from 'node:net';
import { repliesIn, type WireReply } from './replies.ts';

/** What came back over one connection. */
export interface Exchanged {
  replies: WireReply[];
  /** Bytes behind the last whole answer. */
  rest: Buffer;
  /** Whether the server closed the connection. */
  closed: boolean;
}

/** Deadline for what hangs. */
const SILENT_MS = 20_000;

export interface ExchangeOptions {
  /** How many answers there are to be; after them the connection is given up. */
  replies: number;
  /** Waits until the server has closed the connection, so that an answer too many is seen. */
  untilClosed: boolean;
  /** This side ends its half once all is sent. */
  end: boolean;
  isHead: boolean;
}

/** Sends bytes over a connection of their own and reads what comes, by a deadline. */
export function exchange(url: string, bytes: Buffer, o: ExchangeOptions): Promise<Exchanged> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => undefined).destroy();
      resolve({ ...repliesIn(received, closed, o.isHead), closed });
    };
    const timer = setTimeout(() => finish(false), SILENT_MS);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true }, () => (o.end ? socket.end(bytes) : socket.write(bytes)));
    socket.on('data', (data: Buffer) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      if (!o.untilClosed && repliesIn(received, false, o.isHead).replies.length >= o.replies) finish(false);
    });
    socket.on('end', () => finish(true)).on('close', () => finish(true)).on('error', () => finish(true));
  });
}

/** Does the work for each of them, so many at once. */
export async function forEachAtOnce<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
}
