import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { acceptWaiting } from './accept-queue.ts';
import { CONNECTION_DEADLINES, Slowness, type ConnectionDeadlines, type Slow } from './connection-deadlines.ts';
import { InFlightSet } from '@deja/in-flight';
import { refuseRaw } from './unreadable.ts';

/** How long a connection has been without a request before a server that stops ends it, so that a request which is on its way is answered and not cut off. */
const QUIET_MS = 1000;
const LOOK_MS = 100;

interface Connection {
  /** Requests that are being answered. */
  running: number;
  /** Since when there is none: milliseconds of the clock that the process has for itself. */
  quietSinceMs: number;
  /** Answers that came to wait for another one of their connection, since there last was none. Node tells only the one whose turn it is that a connection is gone. */
  behind: ServerResponse[];
  /** The latest that may not have come whole; null where it has. */
  request: IncomingMessage | null;
  slowness: Slowness;
}

/** Node counts what was given to the kernel by whole writes; libuv by bytes, and a large answer is one write. Node's own clock of a socket goes by this, too. */
type WithQueue = Socket & { _handle?: { writeQueueSize?: number } | null };

export interface ConnectionBounds {
  /** Further connections are closed at once. */
  most?: number;
  deadlines?: ConnectionDeadlines;
  /** Told of each that is closed for having come too late or being too slow. */
  closed?: (reason: Slow | 'too_many') => void;
}

/**
 * The client connections of a server that is to stop. An HTTP/1.1 client is told by `connection: close` in the head of an answer that there is to be no
 * further request. Whoever has that head already, as of a stream, is not told, and sends the next request where the last one went. RFC 9112, section 9.5:
 * a server that closes a quiet connection may cut off a request that is on its way, so it waits a moment.
 */
export class OpenConnections {
  private readonly server: Server;
  private readonly answers = new InFlightSet<ServerResponse>();
  private readonly connections = new Map<Socket, Connection>();

  /** To be made before the server listens. */
  constructor(server: Server, { most = Infinity, deadlines = CONNECTION_DEADLINES, closed = () => undefined }: ConnectionBounds = {}) {
    this.server = server;
    const looking = setInterval(() => this.endSlow(deadlines, closed), deadlines.lookMs).unref();
    server.once('close', () => clearInterval(looking));
    server.on('connection', (socket: Socket) => {
      if (this.connections.size >= most) {
        closed('too_many');
        return void socket.destroy();
      }
      this.connections.set(socket, { running: 0, quietSinceMs: performance.now(), behind: [], request: null, slowness: new Slowness() });
      socket.once('close', () => this.left(socket));
    });
    server.on('request', (request: IncomingMessage, answer: ServerResponse) => {
      const connection = this.connections.get(request.socket);
      const leave = this.answers.add(answer);
      if (connection) {
        if (connection.running++ > 0) connection.behind.push(answer);
        connection.request = request;
      }
      answer.once('close', () => {
        leave();
        if (!connection) return;
        connection.running -= 1;
        connection.quietSinceMs = performance.now();
        if (connection.running === 0) connection.behind = [];
        if (connection.request?.complete === true) connection.request = null;
      });
    });
  }

  /** Those that are being sent or waited for. */
  get running(): Iterable<ServerResponse> {
    return this.answers;
  }

  get open(): Iterable<Socket> {
    return this.connections.keys();
  }

  /** Answers that have not begun are the last ones of their connections. */
  drain(): void {
    for (const answer of this.answers) if (!answer.headersSent) answer.setHeader('connection', 'close');
  }

  /**
   * Closes the server by `close`, when what waited in the kernel has been accepted and read, and meanwhile each connection that has been quiet for a second, also one that never sent a request. Resolves when there is none
   * left: a server that closes waits for those alone that it has accepted itself.
   */
  async closeBy(close: () => Promise<void>): Promise<void> {
    // Node and Fastify would end every quiet connection in this very moment.
    this.server.closeIdleConnections = () => undefined;
    await acceptWaiting([this.server]);
    this.endQuiet();
    // Not in the timer itself, which in a process that stood still comes before what was sent meanwhile is read.
    const looking = setInterval(() => void setImmediate(() => this.endQuiet()), LOOK_MS);
    await close()
      .then(() => this.allClosed())
      .finally(() => clearInterval(looking));
  }

  /** Whoever sends or reads too slowly is not waited for: it costs a connection, and what is held for it. */
  private endSlow(deadlines: ConnectionDeadlines, closed: (reason: Slow) => void): void {
    const nowMs = performance.now();
    for (const [socket, { running, quietSinceMs, request, slowness }] of this.connections as Map<WithQueue, Connection>) {
      const body = request === null || request.complete ? null : { read: socket.bytesRead, unread: request.readableLength > 0, answeredMs: running === 0 ? quietSinceMs : null };
      const slow = slowness.look({ nowMs, body, taken: socket.bytesWritten - socket.writableLength - (socket._handle?.writeQueueSize ?? 0), waits: socket.writableLength > 0 }, deadlines);
      if (slow === null) continue;
      closed(slow);
      if (slow === 'body') {
        refuseRaw(Object.assign(new Error('the body came too slowly'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
        socket.destroySoon();
      } else socket.destroy();
    }
  }

  private left(socket: Socket): void {
    const behind = this.connections.get(socket)?.behind ?? [];
    this.connections.delete(socket);
    for (const answer of behind) if (!answer.closed && answer.socket === null && !answer.writableFinished) answer.destroy().emit('close');
  }

  private async allClosed(): Promise<void> {
    for (let [socket] = this.connections.keys(); socket !== undefined; [socket] = this.connections.keys()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.once('close', () => resolve());
      await promise;
    }
  }

  private endQuiet(): void {
    for (const [socket, { running, quietSinceMs }] of this.connections) {
      if (running === 0 && performance.now() - quietSinceMs >= QUIET_MS) socket.destroy();
    }
  }
}
