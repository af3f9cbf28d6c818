import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What is done with one connection's bytes on their way. */
export interface Watch {
  /** Before they go on to the server. */
  sent(data: Buffer): void;
  /** Whether they go on to the client. */
  passes(): boolean;
  closed(): void;
}

/** A way to a server over which every connection is watched. */
export class WatchedPath {
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: URL, watch: (client: Socket) => Watch) {
    this.#target = target;
    this.#server = createServer((client) => this.#pass(client, watch(client)));
  }

  /** @param url with a host and a port */
  static async to(url: string, watch: (client: Socket) => Watch): Promise<WatchedPath> {
    const path = new WatchedPath(new URL(url), watch);
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket, watch: Watch): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    client.on('data', (data) => {
      watch.sent(data);
      server.write(data);
    });
    server.on('data', (data) => {
      if (watch.passes()) client.write(data);
    });
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        watch.closed();
        other.destroy();
      });
    }
  }
}
