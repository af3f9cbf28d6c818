import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { poll, startCluster, temporaryDirectory, type AppName, type AppState, type Cluster, type MemberName, type OutputLine, type Scale } from '@deja/launcher';
import { Client, type QueryResultRow } from 'pg';
import { testDatabase, type TestDatabase } from './cluster-database.ts';
import { guard } from './cluster-guard.ts';
import type { ReplicaPaths } from './replica-paths.ts';

export interface TestClusterOptions {
  /** deja.yaml: its text, or an object to be written as JSON, which is YAML too. Without it and without `provider`, the cluster serves model `simulated`. */
  config?: string | object;
  /** Shorthand for a configuration where this fake provider serves every model with two credentials, `sk-upstream-a` and `sk-upstream-b`; no semantic hit is audited. */
  provider?: { url: string };
  /** Only these apps; all unless given. */
  apps?: readonly AppName[];
  /** Replicas of each app; one unless given. */
  scale?: Partial<Scale>;
  /** On top of the few variables that every process needs; nothing else of the tester's own environment reaches the apps. */
  env?: Record<string, string>;
  /** Unless given, a Redis of the test's own, which can be killed. */
  redisUrl?: string;
  /** Unless given, a new database on the run's Postgres. */
  databaseUrl?: string;
  /** A Postgres of the test's own, which can be killed as member `postgres`. It takes half a second more. */
  ownPostgres?: boolean;
  /** Ways of each replica to Redis and Postgres, which the test can cut. They are the test's to close. */
  paths?: ReplicaPaths;
  readyMs?: number;
}

const NEEDED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE'];
const LOG_DEADLINE_MS = 15_000;
const GOES_ON_MS = 30_000;

/** A cluster for one test: the built apps on free ports, with a Redis and a database of their own. */
export class TestCluster {
  readonly cluster: Cluster;
  readonly dataDir: string;
  /** Every line that any member has written so far. */
  readonly lines: OutputLine[];
  readonly #database: TestDatabase | null;
  readonly #removeGuard: () => void;
  #sql: Client | null = null;

  constructor(made: { cluster: Cluster; dataDir: string; lines: OutputLine[]; database: TestDatabase | null; removeGuard: () => void }) {
    this.cluster = made.cluster;
    this.dataDir = made.dataDir;
    this.lines = made.lines;
    this.#database = made.database;
    this.#removeGuard = made.removeGuard;
  }

  /** Of the first gateway, without /v1. */
  get url(): string {
    return this.cluster.baseUrl;
  }
  get urls(): string[] {
    return this.cluster.baseUrls;
  }
  /** A client key of tenant `default`. */
  get key(): string {
    return this.cluster.key;
  }
  get adminKey(): string {
    return this.cluster.adminKey;
  }
  get redisUrl(): string {
    return this.cluster.redisUrl;
  }
  /** Throws when this cluster has no database. */
  get databaseUrl(): string {
    const url = this.cluster.databaseUrl;
    if (url === null) throw new Error('none of the apps of this cluster has a database');
    return url;
  }
  get apps(): AppState[] {
    return this.cluster.apps;
  }
  pid(name: MemberName, n = 1): number | null {
    return this.cluster.pid(name, n);
  }

  /** Rows of a query in this cluster's database. */
  async sql<Row extends QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    if (this.#sql === null) {
      this.#sql = new Client({ connectionString: this.databaseUrl });
      // A server that a test kills ends this connection; the next query opens another.
      this.#sql.on('error', () => (this.#sql = null));
      await this.#sql.connect();
    }
    return (await this.#sql.query<Row>(text, values)).rows;
  }

  /** The health server of a replica: `/healthz`, `/readyz`, `/metrics`. */
  opsUrl(app: AppName, n = 1): string {
    const found = this.apps.find((state) => state.app === app && state.n === n);
    if (found === undefined) throw new Error(`this cluster does not run ${app} ${n}`);
    return `http://127.0.0.1:${found.opsPort}`;
  }

  /** Rewrites deja.yaml; the router notices by itself. */
  async configure(config: string | object): Promise<void> {
    await writeConfig(this.dataDir, config);
  }

  /** Lines so far that hold this text. */
  logged(text: string): OutputLine[] {
    return this.lines.filter((line) => line.text.includes(text));
  }

  /** The first line that holds this text, now or soon. */
  async whenLogged(text: string, deadlineMs = LOG_DEADLINE_MS): Promise<OutputLine> {
    const line = await poll(() => this.logged(text)[0] ?? null, { deadlineMs });
    if (line === null) throw new Error(`nobody logged ${JSON.stringify(text)} within ${deadlineMs} ms; the last lines:\n${this.tail()}`);
    return line;
  }

  /** The last lines of all members, for a failing test's message. */
  tail(count = 30): string {
    return this.lines.slice(-count).map((line) => `${line.from}: ${line.text}`).join('\n');
  }

  /** Kills a member and waits until it is back under another process id and all are ready. */
  async killAndWait(name: MemberName, n = 1, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const before = this.pid(name, n);
    this.kill(name, n, signal);
    const back = await poll(() => (this.pid(name, n) === null || this.pid(name, n) === before ? null : true), { deadlineMs: GOES_ON_MS });
    if (back === null) throw new Error(`${name} ${n} did not come back within ${GOES_ON_MS} ms`);
    await this.cluster.waitReady(GOES_ON_MS);
  }

  /** Sends a signal; a member that dies of it is started again. False when it does not run at this moment. */
  kill(name: MemberName, n = 1, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.cluster.kill(name, n, signal);
  }
  /** Stops a member until `resume`. */
  suspend(name: MemberName, n = 1): Promise<void> {
    return this.cluster.suspend(name, n);
  }
  resume(name: MemberName, n = 1): Promise<void> {
    return this.cluster.resume(name, n);
  }
  /** Drains a member, starts it again and waits until all are ready. */
  restart(name: MemberName, n = 1): Promise<void> {
    return this.cluster.restart(name, n);
  }
  waitReady(deadlineMs?: number): Promise<void> {
    return this.cluster.waitReady(deadlineMs);
  }

  /** Stops everything and leaves nothing behind. `force` kills the apps instead of draining them. */
  async stop(options: { force?: boolean } = {}): Promise<void> {
    await this.#sql?.end().catch(() => {}); // its server may be gone already
    await this.cluster.stop(options);
    this.#removeGuard();
    await this.#database?.drop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Starts the built apps (`apps/<app>/out/main.mjs`; `npm test` builds them first) and waits until they are ready. Rejects with what they said when they are not. */
export async function testCluster(o: TestClusterOptions = {}): Promise<TestCluster> {
  const dataDir = await temporaryDirectory('deja-cluster-');
  const config = o.config ?? (o.provider === undefined ? null : configFor(o.provider));
  if (config !== null) await writeConfig(dataDir, config);
  const apps = o.apps ?? (['gateway', 'router', 'semantic-cache', 'usage-worker'] as const);
  const needsDatabase = apps.includes('router') || apps.includes('usage-worker');
  const database = o.databaseUrl === undefined && o.ownPostgres !== true && needsDatabase ? await testDatabase() : null;
  const removeGuard = guard(dataDir);
  const lines: OutputLine[] = [];
  const { paths } = o;
  try {
    const cluster = await startCluster({
      dataDir,
      apps,
      scale: o.scale ?? {},
      port: 0,
      opsPort: 0,
      redisUrl: o.redisUrl ?? null,
      databaseUrl: o.databaseUrl ?? database?.url ?? null,
      // Tests flood a machine that others use, too: whether a gateway's event loop or a Redis is late there is nobody's to say.
      env: { ...neededEnvironment(), DEJA_OVERLOAD: 'off', DEJA_REDIS_DEADLINE_MS: '500', DEJA_CONFIG: configPath(dataDir), ...o.env },
      output: (line) => lines.push(line),
      backoff: { firstMs: 50, maxMs: 2_000, forgetAfterMs: 5_000 },
      ...(paths === undefined ? {} : { tell: (replica, env) => paths.tell(replica, env) }),
      ...(o.readyMs === undefined ? {} : { readyMs: o.readyMs }),
    });
    return new TestCluster({ cluster, dataDir, lines, database, removeGuard });
  } catch (error) {
    removeGuard();
    await database?.drop();
    await rm(dataDir, { recursive: true, force: true });
    const tail = lines.slice(-30).map((line) => `${line.from}: ${line.text}`).join('\n');
    throw new Error(`the cluster did not start: ${error instanceof Error ? error.message : String(error)}\n${tail}`, { cause: error });
  }
}

/** One provider for every name, with two credentials, so that there is another one to retry on. Audits would leave it to chance whether a similar question is a hit. */
function configFor(provider: { url: string }): object {
  const credentials = [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }];
  return {
    providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials } },
    models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
    cache: { semantic: { audit: { share: 0 } } },
  };
}

const configPath = (dataDir: string): string => join(dataDir, 'deja.yaml');

function writeConfig(dataDir: string, config: string | object): Promise<void> {
  return writeFile(configPath(dataDir), typeof config === 'string' ? config : JSON.stringify(config, null, 2));
}

function neededEnvironment(): Record<string, string> {
  return Object.fromEntries(NEEDED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
