import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PUSH_CHANNEL } from '@deja/contracts';

/** As RESP writes it. */
const SUBSCRIBE = new RegExp(`\r\nsubscribe\r\n[^]*\r\n${PUSH_CHANNEL}\r\n`, 'i');

/** A way to a Redis on which subscriptions to pushes can go deaf without noticing, or break: everything else passes. */
export class RedisPath {
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #subscriptions = new Set<Socket>();
  #isDeaf = false;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#pass(client));
  }

  /** @param url `redis://…` with a host and a port */
  static async to(url: string): Promise<RedisPath> {
    const path = new RedisPath(new URL(url));
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** How many connections hear pushes, or would. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** What subscriptions would hear is swallowed from now on. */
  deafen(): void {
    this.#isDeaf = true;
  }

  /** Half a message may have been swallowed, so that subscriptions begin anew. */
  mend(): void {
    this.#isDeaf = false;
    this.cut();
  }

  /** Ends the subscriptions; new ones may come. */
  cut(): void {
    for (const socket of this.#subscriptions) socket.destroy();
    this.#subscriptions.clear();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    client.on('data', (data) => {
      if (SUBSCRIBE.test(data.toString('latin1'))) this.#subscriptions.add(client);
      server.write(data);
    });
    server.on('data', (data) => {
      if (!(this.#isDeaf && this.#subscriptions.has(client))) client.write(data);
    });
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#subscriptions.delete(socket);
        other.destroy();
      });
    }
  }
}
