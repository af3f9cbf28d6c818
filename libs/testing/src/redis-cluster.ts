import { freePort } from '@deja/launcher';
import { eventually } from './eventually.ts';
import { RedisProcess } from './redis-process.ts';

const SLOTS = 16_384;

interface Master {
  server: RedisProcess;
  /** Where the nodes talk to each other. */
  busPort: number;
  from: number;
  to: number;
}

/** A Redis Cluster of a test's own: masters without replicas, which it may kill and start again. */
export class RedisCluster {
  readonly #masters: readonly Master[];

  private constructor(masters: readonly Master[]) {
    this.#masters = masters;
  }

  /** Resolves when every node knows all others and takes commands. */
  static async start(count: number): Promise<RedisCluster> {
    const bounds = Array.from({ length: count + 1 }, (_, i) => Math.round((i * SLOTS) / count));
    const started = await Promise.allSettled(bounds.slice(1).map((end, i) => startMaster(bounds[i] ?? 0, end - 1)));
    const masters = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const cluster = new RedisCluster(masters);
    try {
      const failed = started.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
      await cluster.#join();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** All nodes, as `REDIS_URL` takes them. */
  get url(): string {
    return this.#masters.map(({ server }) => server.url).join(',');
  }

  /** In the order of their slots. */
  get masters(): readonly RedisProcess[] {
    return this.#masters.map(({ server }) => server);
  }

  /** The server that holds this key. */
  async masterOf(key: string): Promise<RedisProcess> {
    const up = await Promise.any(this.masters.map(async ({ client }) => Number(await client.cluster('KEYSLOT', key))));
    const found = this.#masters.find(({ from, to }) => up >= from && up <= to);
    if (found === undefined) throw new Error(`no master holds slot ${up}`);
    return found.server;
  }

  /** Starts killed masters again; resolves when the whole cluster takes commands. */
  async restart(...killed: readonly RedisProcess[]): Promise<void> {
    await Promise.all(killed.map((master) => master.restart()));
    await this.#whole();
  }

  /** Empties every node. */
  async flush(): Promise<void> {
    await Promise.all(this.masters.map(({ client }) => client.flushall()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.masters.map((server) => server.stop()));
  }

  async #join(): Promise<void> {
    const [first, ...others] = this.#masters;
    await Promise.all(this.#masters.map(async ({ server: { client }, from, to }, i) => {
      await client.cluster('SET-CONFIG-EPOCH', i + 1);
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }));
    for (const { server, busPort } of others) await first?.server.client.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort);
    await this.#whole();
  }

  async #whole(): Promise<void> {
    const wanted = ['cluster_state:ok', `cluster_slots_ok:${SLOTS}`, `cluster_known_nodes:${this.#masters.length}`];
    await eventually('the Redis Cluster to be whole', async () => {
      const infos = await Promise.all(this.masters.map(({ client }) => client.cluster('INFO').then(String, () => '')));
      return infos.every((info) => wanted.every((line) => info.includes(line)));
    });
  }
}

/** Three masters, ready to take commands. */
export const startRedisCluster = (): Promise<RedisCluster> => RedisCluster.start(3);

async function startMaster(from: number, to: number): Promise<Master> {
  const busPort = await freePort();
  const server = await RedisProcess.start([
    '--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '2000',
    // A test that kills one master wants to see the others go on.
    '--cluster-require-full-coverage', 'no',
  ]);
  return { server, busPort, from, to };
}
