import type { AppName } from '@deja/launcher';
import { TcpPath } from './tcp-path.ts';

export interface Replica {
  app: AppName;
  n: number;
}

/** What a replica reaches over TCP, by the variable that names it. */
const SERVICES = { redis: 'REDIS_URL', postgres: 'DATABASE_URL' } as const;
export type Service = keyof typeof SERVICES;

/** Ways of its own for each replica to Redis and Postgres, so that one can be cut off from them and the others not. */
export class ReplicaPaths {
  readonly #paths: ReadonlyMap<string, TcpPath>;

  private constructor(paths: ReadonlyMap<string, TcpPath>) {
    this.#paths = paths;
  }

  static async for(replicas: readonly Replica[]): Promise<ReplicaPaths> {
    const names = replicas.flatMap((replica) => (Object.keys(SERVICES) as Service[]).map((service) => nameOf(service, replica)));
    // They lead nowhere until it is known where things are.
    return new ReplicaPaths(new Map(await Promise.all(names.map(async (name) => [name, await TcpPath.to('tcp://127.0.0.1:1')] as const))));
  }

  /** The environment of a replica, with its own ways in it. */
  tell(replica: Replica, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const told = { ...env };
    for (const [service, variable] of Object.entries(SERVICES) as [Service, string][]) {
      const url = env[variable];
      if (url !== undefined) told[variable] = this.path(service, replica).leadTo(url);
    }
    return told;
  }

  path(service: Service, replica: Replica): TcpPath {
    const found = this.#paths.get(nameOf(service, replica));
    if (found === undefined) throw new Error(`${replica.app} ${replica.n} has no way of its own`);
    return found;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#paths.values()].map((path) => path.close()));
  }
}

const nameOf = (service: Service, { app, n }: Replica): string => `${service} of ${app} ${n}`;
