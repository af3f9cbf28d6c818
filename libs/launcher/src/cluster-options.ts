import type { AppProgram } from './app-program.ts';
import type { Output } from './output.ts';
import type { AppName, Scale } from './scale.ts';
import type { Backoff } from './supervised-process.ts';

export interface ClusterOptions {
  /** Everything this cluster keeps: secrets, Redis, Postgres, who runs. */
  dataDir: string;
  /** Replicas of each app; one unless given. */
  scale?: Partial<Scale>;
  /** Only these apps; all unless given. */
  apps?: readonly AppName[];
  /** Of the first gateway, the next ones follow; 0: any free ports. Default 3000. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Of the first gateway, see SeatWishes; 0: any free ports. Default 9460. */
  opsPort?: number;
  /** The apps' environment; this process' unless given. What the cluster decides itself (ports, URLs, keys) comes on top. */
  env?: NodeJS.ProcessEnv;
  /** A Redis that runs already; unless given the cluster starts its own. */
  redisUrl?: string | null;
  /** A Postgres database that is there already; unless given the cluster starts its own when an app needs one. */
  databaseUrl?: string | null;
  output?: Output;
  /** How an app is run; see appProgram unless given. */
  program?: (app: AppName) => Pick<AppProgram, 'command' | 'args'> & Partial<AppProgram>;
  /** What one replica is told in place of `env`, as another way to Redis. It is asked once, when Redis and Postgres are there. */
  tell?: (replica: { app: AppName; n: number }, env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
  backoff?: Backoff;
  /** How long all apps together may take until they are ready. Default 120 s. */
  readyMs?: number;
}

/** One running replica. */
export interface AppState {
  app: AppName;
  n: number;
  /** Of the process as it is now; null between a death and the next start. */
  pid: number | null;
  port: number | null;
  /** The admin API of a gateway where it has a port of its own. */
  adminPort: number | null;
  opsPort: number;
}

export type MemberName = AppName | 'redis' | 'postgres';
