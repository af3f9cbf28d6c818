import type { Server, ServerResponse } from 'node:http';

/** How long a connection may be without a request once a replica drains, so that a request which is on its way is answered and not cut off. */
const QUIET_MS = 1000;
const LOOK_MS = 100;

/**
 * The client connections of a server that is to stop. An HTTP/1.1 client is told by `connection: close` in the head of an answer that there is to be no
 * further request. Whoever has that head already, as of a stream, is not told, and sends the next request where the last one went. RFC 9112, section 9.5:
 * a server that closes a quiet connection may cut off a request that is on its way, so it waits a moment.
 */
export class OpenConnections {
  private readonly server: Server;
  private readonly answers = new Set<ServerResponse>();

  /** To be made before the server listens. */
  constructor(server: Server) {
    this.server = server;
    server.on('request', (_request, answer: ServerResponse) => {
      this.answers.add(answer);
      answer.once('close', () => this.answers.delete(answer));
    });
  }

  /** From now on answers that have not begun are the last ones of their connections; other connections end after a second without a request. */
  drain(): void {
    for (const answer of this.answers) if (!answer.headersSent) answer.setHeader('connection', 'close');
    this.server.keepAliveTimeout = QUIET_MS;
    this.server.keepAliveTimeoutBuffer = 0;
  }

  /** Closes the server by `close`, and meanwhile ends what would keep it from closing when nothing runs any more: connections that have sent no request. */
  async closeBy(close: () => Promise<void>): Promise<void> {
    let quietLooks = 0;
    const looking = setInterval(() => {
      quietLooks = this.answers.size === 0 ? quietLooks + 1 : 0;
      if (quietLooks * LOOK_MS > QUIET_MS) this.server.closeAllConnections();
    }, LOOK_MS);
    await close().finally(() => clearInterval(looking));
  }
}
