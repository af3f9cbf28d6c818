import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 100;
/** A busy machine answers late; what is gone, or drains, says so at once. */
const ANSWER_MS = 10_000;

export interface Target {
  port: number;
  /** Of its readiness. */
  readyUrl: string;
}

/**
 * A load balancer of connections, as a Kubernetes Service or any balancer of layer 4: it looks at readiness every 100 ms and gives a new connection to the ready
 * replica that has fewest. It knows nothing of HTTP, tries nothing twice, and a connection stays where it is for as long as it lasts.
 */
export class ConnectionBalancer {
  /** New connections that no ready replica was there for, or that the chosen one did not take. */
  refused = 0;
  private readonly server: Server;
  private readonly targets: readonly Target[];
  private readonly open: Map<Target, Set<Socket>>;
  private readonly ready = new Set<Target>();
  private readonly stopped = new AbortController();
  private looking: Promise<unknown> = Promise.resolve();

  private constructor(targets: readonly Target[]) {
    this.targets = targets;
    this.open = new Map(targets.map((target) => [target, new Set()]));
    this.server = createServer((client) => this.take(client));
  }

  static async start(targets: readonly Target[]): Promise<ConnectionBalancer> {
    const balancer = new ConnectionBalancer(targets);
    await Promise.all(targets.map((target) => balancer.look(target)));
    balancer.looking = Promise.all(targets.map((target) => balancer.keepLooking(target)));
    balancer.server.listen(0, '127.0.0.1');
    await once(balancer.server, 'listening');
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Whether new connections go to this replica; 1 is the first. */
  sendsTo(n: number): boolean {
    const target = this.targets[n - 1];
    return target !== undefined && this.ready.has(target);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.looking;
    for (const sockets of this.open.values()) for (const socket of sockets) socket.destroy();
    this.server.close();
  }

  private async keepLooking(target: Target): Promise<void> {
    while (!this.stopped.signal.aborted) {
      await delay(LOOK_MS, undefined, { signal: this.stopped.signal }).catch(() => undefined);
      await this.look(target);
    }
  }

  private async look(target: Target): Promise<void> {
    const isReady = await fetch(target.readyUrl, { signal: AbortSignal.any([this.stopped.signal, AbortSignal.timeout(ANSWER_MS)]), headers: { connection: 'close' } }).then(async (reply) => (await reply.text(), reply.ok), () => false);
    if (isReady) this.ready.add(target);
    else this.ready.delete(target);
  }

  private take(client: Socket): void {
    const [chosen] = [...this.open].filter(([target]) => this.ready.has(target)).toSorted(([, one], [, other]) => one.size - other.size);
    if (chosen === undefined) {
      this.refused += 1;
      client.destroy();
      return;
    }
    const [{ port }, sockets] = chosen;
    const replica = connect(port, '127.0.0.1', () => (connected = true));
    let connected = false;
    sockets.add(client);
    client.once('close', () => {
      sockets.delete(client);
      replica.destroy();
    });
    replica.once('close', () => client.destroySoon());
    replica.on('error', () => (this.refused += connected ? 0 : 1)); // what becomes of the connection is its client's to notice
    client.on('error', () => undefined);
    client.pipe(replica).pipe(client);
  }
}
