import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { acceptWaiting } from './accept-queue.ts';
import { InFlightSet } from '@deja/in-flight';

/** How long a connection has been without a request before a server that stops ends it, so that a request which is on its way is answered and not cut off. */
const QUIET_MS = 1000;
const LOOK_MS = 100;

export interface Connection {
  /** Requests that are being answered. */
  running: number;
  /** Since when there is none: milliseconds of the clock that the process has for itself. */
  quietSinceMs: number;
  /** Answers that came to wait for another one of their connection, since there last was none. Node tells only the answer that is its turn when a connection is gone. */
  behind: ServerResponse[];
  /** A request that was answered before it had arrived whole; the rest of it is dropped as it comes. */
  unread: IncomingMessage | null;
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

  /** To be made before the server listens. Connections beyond `most` are closed as they come: each that is open takes memory and a file descriptor. */
  constructor(server: Server, most = Infinity) {
    this.server = server;
    server.on('connection', (socket: Socket) => {
      if (this.connections.size >= most) return void socket.destroy();
      this.connections.set(socket, { running: 0, quietSinceMs: performance.now(), behind: [], unread: null });
      socket.once('close', () => this.left(socket));
    });
    server.on('request', (request: IncomingMessage, answer: ServerResponse) => {
      const { socket } = request;
      const connection = this.connections.get(socket);
      const leave = this.answers.add(answer);
      if (connection && connection.running++ > 0) connection.behind.push(answer);
      answer.once('close', () => {
        leave();
        if (!connection) return;
        connection.running -= 1;
        connection.quietSinceMs = performance.now();
        if (connection.running === 0) connection.behind = [];
        connection.unread = request.complete ? null : request;
      });
    });
  }

  /** Those that are being sent or waited for. */
  get running(): Iterable<ServerResponse> {
    return this.answers;
  }

  get open(): Iterable<[Socket, Readonly<Connection>]> {
    return this.connections;
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
    await acceptWaiting(this.server);
    this.endQuiet();
    // Not in the timer itself, which in a process that stood still comes before what was sent meanwhile is read.
    const looking = setInterval(() => void setImmediate(() => this.endQuiet()), LOOK_MS);
    await close()
      .then(() => this.allClosed())
      .finally(() => clearInterval(looking));
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
