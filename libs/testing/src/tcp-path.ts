import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP way to a server that a test can cut, make swallow everything, and mend. */
export class TcpPath {
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #mode: 'open' | 'cut' | 'hanging' = 'open';

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#pass(client));
  }

  /** @param url where the way leads, with a host and a port: `postgres://…`, `redis://…` */
  static async to(url: string): Promise<TcpPath> {
    const path = new TcpPath(new URL(url));
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The target's URL, by this way. */
  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** `cut` ends every connection and lets none through; `hanging` keeps them and passes nothing on. */
  set(mode: 'open' | 'cut' | 'hanging'): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    // Bytes that were swallowed are gone, so nothing that was begun before can go on.
    if (mode !== 'hanging') for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.set('cut');
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    if (this.#mode === 'cut') return void client.destroy();
    const server = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => this.#mode === 'open' && to.write(data));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
