import type { Socket } from 'node:net';
import { PUSH_CHANNEL } from '@deja/contracts';
import { WatchedPath, type Watch } from './watched-path.ts';

/** As RESP writes it. */
const SUBSCRIBE = new RegExp(`\r\nsubscribe\r\n[^]*\r\n${PUSH_CHANNEL}\r\n`, 'i');

/** A way to a Redis on which subscriptions to pushes can go deaf without noticing, or break: everything else passes. */
export class RedisPath {
  readonly #subscriptions = new Set<Socket>();
  #path!: WatchedPath;
  #isDeaf = false;

  /** @param url `redis://…` with a host and a port */
  static async to(url: string): Promise<RedisPath> {
    const path = new RedisPath();
    path.#path = await WatchedPath.to(url, (client) => path.#watch(client));
    return path;
  }

  get url(): string {
    return this.#path.url;
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

  close(): Promise<void> {
    return this.#path.close();
  }

  #watch(client: Socket): Watch {
    return {
      sent: (data) => {
        if (SUBSCRIBE.test(data.toString('latin1'))) this.#subscriptions.add(client);
      },
      passes: () => !(this.#isDeaf && this.#subscriptions.has(client)),
      closed: () => this.#subscriptions.delete(client),
    };
  }
}
