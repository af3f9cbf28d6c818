import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { acceptWaiting } from './accept-queue.ts';
import { InFlightSet } from '@deja/in-flight';

/** How long a connection has been without a request before a server that stops ends it, so that a request which is on its way is answered and not cut off. */
const QUIET_MS = 1000;
const LOOK_MS = 100;

interface Connection {
  /** Requests that are being answered. */
  running: number;
  /** Since when there is none: milliseconds of the clock that the process has for itself. */
  quietSinceMs: number;
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
  constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket: Socket) => {
      this.connections.set(socket, { running: 0, quietSinceMs: performance.now() });
      socket.once('close', () => this.connections.delete(socket));
    });
    server.on('request', ({ socket }, answer: ServerResponse) => {
      const connection = this.connections.get(socket);
      const leave = this.answers.add(answer);
      if (connection) connection.running += 1;
      answer.once('close', () => {
        leave();
        if (!connection) return;
        connection.running -= 1;
        connection.quietSinceMs = performance.now();
      });
    });
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
