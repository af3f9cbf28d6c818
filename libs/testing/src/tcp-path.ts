import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { DelayedLine } from './delayed-line.ts';

/** What becomes of connections: see `TcpPath.set`. */
export type PathMode = 'open' | 'cut' | 'reset' | 'hanging' | { delayMs: number };

/** A TCP way to a server that a test can cut, make swallow everything, slow down, and mend. */
export class TcpPath {
  #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #mode: PathMode = 'open';

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

  /** New connections lead there from now on. Answers the URL by this way. */
  leadTo(url: string): string {
    this.#target = new URL(url);
    return this.url;
  }

  /**
   * `cut` ends every connection and lets none through, `reset` does the same by RST; `hanging` keeps connections and passes nothing on; with `delayMs` all bytes
   * arrive so much later, in both directions.
   */
  set(mode: PathMode): void {
    if (mode === this.#mode) return;
    const wasHanging = this.#mode === 'hanging';
    this.#mode = mode;
    // Bytes that were swallowed are gone, so nothing that was begun before can go on.
    if (mode === 'cut' || mode === 'reset' || wasHanging) for (const socket of this.#sockets) this.#end(socket);
  }

  async close(): Promise<void> {
    this.set('cut');
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    if (this.#mode === 'cut' || this.#mode === 'reset') return this.#end(client);
    const server = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      const line = new DelayedLine(to);
      from.on('data', (data) => this.#mode !== 'hanging' && line.write(data, typeof this.#mode === 'object' ? this.#mode.delayMs : 0));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        line.end();
      });
    }
  }

  #end(socket: Socket): void {
    if (this.#mode === 'reset') socket.resetAndDestroy();
    else socket.destroy();
  }
}
