import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adminPlace, appEnvironment, assignSeats, type Seat } from './app-environment.ts';
import { appProgram } from './app-program.ts';
import type { ClusterOptions, AppState, MemberName } from './cluster-options.ts';
import { makeDataDirectory } from './data-directory.ts';
import { asLauncherError, LauncherError } from './launcher-error.ts';
import type { Output, OutputLine } from './output.ts';
import { poll } from './poll.ts';
import type { ManagedPostgres } from './postgres-server.ts';
import type { ManagedRedis } from './redis-server.ts';
import { reachableHost, whyNotReady } from './readiness.ts';
import { RunDirectory } from './run-directory.ts';
import { APPS, type Scale } from './scale.ts';
import { readSecrets, type Secrets } from './secrets.ts';
import { startServices } from './services.ts';
import { SupervisedProcess, type ProcessEnd } from './supervised-process.ts';

const DRAIN_MS = 30_000;
const FORCED_MS = 0;
const READY_MS = 120_000;
const DEFAULT_PORT = 3000;
const DEFAULT_OPS_PORT = 9460;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Member {
  seat: Seat;
  process: SupervisedProcess;
}

/** A whole deja on this machine: Redis, Postgres and the apps, each started again when it dies. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #output: Output;
  readonly #run: RunDirectory;
  readonly #host: string;
  #members: Member[] = [];
  #redis: ManagedRedis | null = null;
  #postgres: ManagedPostgres | null = null;
  #secrets: Secrets | null = null;
  #redisUrl = '';
  #databaseUrl: string | null = null;
  #adminKeyFile = '';
  /** Until all were ready once, an app that ends by itself ends the start. */
  #allWereReady = false;
  #failure: LauncherError | null = null;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  private constructor(options: ClusterOptions, run: RunDirectory) {
    this.#options = options;
    this.#output = options.output ?? (() => {});
    this.#run = run;
    this.#host = options.host ?? '127.0.0.1';
  }

  /** See startCluster. */
  static async start(given: ClusterOptions, hooks: { onMade?: (cluster: Cluster) => void } = {}): Promise<Cluster> {
    const options = { ...given, dataDir: resolve(given.dataDir) };
    await makeDataDirectory(options.dataDir);
    const run = await RunDirectory.open(options.dataDir);
    const cluster = new Cluster(options, run);
    hooks.onMade?.(cluster);
    try {
      if (cluster.#stopping !== null) throw new LauncherError('The start was interrupted.');
      cluster.#starting = cluster.#startAll();
      await cluster.#starting;
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw cluster.#failure ?? error;
    }
  }

  /** Where clients go: the first gateway. Empty without a gateway. */
  get baseUrl(): string {
    return this.baseUrls[0] ?? '';
  }
  /** One for each gateway. */
  get baseUrls(): string[] {
    return this.#members.flatMap(({ seat }) => (seat.port === null ? [] : [`http://${reachableHost(this.#host)}:${seat.port}`]));
  }
  /** Where the admin API is, without /admin/v1: at the first gateway. null where it is switched off (DEJA_ADMIN=off). */
  get adminUrl(): string | null {
    if (adminPlace(this.#env) === 'off') return null;
    const port = this.#members[0]?.seat.adminPort ?? null;
    return port === null ? this.baseUrl : `http://${reachableHost(this.#host)}:${port}`;
  }
  /** A client key of tenant `default`. */
  get key(): string {
    return this.#secrets?.bootstrapKey ?? '';
  }
  get adminKey(): string {
    return this.#secrets?.adminKey ?? '';
  }
  get adminKeyFile(): string {
    return this.#adminKeyFile;
  }
  get redisUrl(): string {
    return this.#redisUrl;
  }
  /** null when no app that runs here needs a database and none was given. */
  get databaseUrl(): string | null {
    return this.#databaseUrl;
  }
  get apps(): AppState[] {
    return this.#members.map(({ seat, process }) => ({ ...seat, pid: process.pid }));
  }
  /** Process id of a member now, null while it does not run. */
  pid(name: MemberName, n = 1): number | null {
    return this.#process(name, n).pid;
  }

  /** Sends a signal. A member that dies of it is started again. False when it does not run at this moment. */
  kill(name: MemberName, n = 1, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.#process(name, n).kill(signal);
  }

  /** Stops a member and leaves it stopped until `resume`. */
  suspend(name: MemberName, n = 1, graceMs = DRAIN_MS): Promise<void> {
    return this.#process(name, n).stop(graceMs);
  }

  /** Starts what was suspended, without waiting for it. */
  resume(name: MemberName, n = 1): Promise<void> {
    return this.#process(name, n).start();
  }

  /** Drains one member, starts it again and waits until all are ready. */
  async restart(name: MemberName, n = 1): Promise<void> {
    await this.suspend(name, n);
    await this.resume(name, n);
    await this.waitReady();
  }

  /** Resolves when every app that is meant to run says it is ready. Rejects with a LauncherError that names who is not and why. */
  async waitReady(deadlineMs = this.#options.readyMs ?? READY_MS): Promise<void> {
    const end = Date.now() + deadlineMs;
    await this.#redis?.whenReady(deadlineMs);
    await this.#postgres?.whenReady(deadlineMs);
    await Promise.all(
      this.#members.map(async ({ seat, process }) => {
        let why = 'it does not answer';
        const ready = await poll(
          async () => {
            if (this.#failure !== null) throw this.#failure;
            if (this.#stopping !== null) throw new LauncherError('The start was interrupted.');
            if (!process.wanted) return true;
            why = await whyNotReady(`http://${reachableHost(this.#host)}:${seat.opsPort}/readyz`);
            return why === '' ? true : null;
          },
          { deadlineMs: end - Date.now(), everyMs: 50 },
        );
        if (ready === null) throw new LauncherError(`${process.name} is not ready after ${Math.round(deadlineMs / 1000)} s: ${why}.`);
      }),
    );
  }

  /** Drains the gateways, then the other apps, then stops Redis and Postgres. `force` kills the apps at once, also while a gentle stop is under way. */
  stop(options: { force?: boolean } = {}): Promise<void> {
    if (options.force === true) for (const { process } of this.#members) process.kill('SIGKILL');
    this.#stopping ??= this.#stopAll(options.force === true ? FORCED_MS : DRAIN_MS);
    return this.#stopping;
  }

  async #startAll(): Promise<void> {
    const { dataDir, port = DEFAULT_PORT, opsPort = DEFAULT_OPS_PORT } = this.#options;
    const ended = await this.#run.endLeftovers();
    if (ended.length > 0) this.#say('warn', `ended what an earlier launcher left running: ${ended.join(', ')}`);
    const scale = this.#scale();
    const admin = adminPlace(this.#env);
    const seats = await assignSeats(scale, { host: this.#host, port, adminPort: typeof admin === 'object' ? admin.port : null, opsPort });
    this.#secrets = await readSecrets(dataDir, this.#env);
    this.#adminKeyFile = this.#secrets.adminKeyFile ?? join(this.#run.path, 'admin-key');
    if (this.#secrets.adminKeyFile === null) await this.#run.write('admin-key', `${this.#secrets.adminKey}\n`);
    await this.#startServices(scale);
    if (this.#stopping !== null) throw new LauncherError('The start was interrupted.');
    this.#members = seats.map((seat) => ({ seat, process: this.#appProcess(seat) }));
    await Promise.all(this.#members.map(({ process: app }) => app.start()));
    await this.waitReady();
    this.#allWereReady = true;
    await this.#announce();
  }

  get #env(): NodeJS.ProcessEnv {
    return this.#options.env ?? process.env;
  }

  #scale(): Scale {
    const apps = this.#options.apps ?? APPS;
    return Object.fromEntries(APPS.map((app) => [app, apps.includes(app) ? (this.#options.scale?.[app] ?? 1) : 0])) as Scale;
  }

  async #startServices(scale: Scale): Promise<void> {
    const { dataDir, redisUrl = null, databaseUrl = null } = this.#options;
    const services = await startServices({
      dataDir,
      redisUrl,
      databaseUrl,
      needsDatabase: scale.router + scale['usage-worker'] > 0,
      output: this.#output,
      run: this.#run,
      keep: (made) => {
        if ('createDatabase' in made) this.#postgres = made;
        else this.#redis = made;
      },
    });
    this.#redisUrl = services.redisUrl;
    this.#databaseUrl = services.databaseUrl;
  }

  #appProcess(seat: Seat): SupervisedProcess {
    const { dataDir, backoff, tell = (_, told) => told } = this.#options;
    const name = `${seat.app}-${seat.n}`;
    const { command, args, env = {} } = this.#options.program?.(seat.app) ?? appProgram(seat.app, ROOT);
    if (this.#secrets === null) throw new Error('secrets are read before apps are started');
    return new SupervisedProcess({
      name,
      command,
      args,
      env: { ...env, ...tell(seat, appEnvironment(seat, { env: this.#env, host: this.#host, dataDir, redisUrl: this.#redisUrl, databaseUrl: this.#databaseUrl, secrets: this.#secrets })) },
      ...(backoff === undefined ? {} : { backoff }),
      onLine: (text, stream) => this.#output({ from: name, text, level: stream === 'stderr' ? 'error' : 'info' }),
      onStart: (pid) => this.#written(this.#run.started(name, pid, 'SIGTERM').then(() => (this.#allWereReady && this.#stopping === null ? this.#announce() : undefined))),
      onStopped: () => this.#written(this.#run.stopped(name)),
      // Before the first readiness a death by its own hand is a mistake that a repeat will repeat; a killed one gets its chance.
      mayRestart: (end) => this.#allWereReady || end.signal !== null,
      onDeath: (end, again) => this.#died(name, end, again),
    });
  }

  #died(name: string, end: ProcessEnd, again: { inMs: number } | null): void {
    const how = end.signal ?? `exit code ${end.code}`;
    if (again !== null) this.#say('warn', `${name} died (${how}); starting it again in ${again.inMs} ms`);
    else this.#failure ??= new LauncherError(`${name} did not start (${how})${reasonFrom(end)}`);
  }

  /** Tells the world who runs: see DESIGN, environment. Written again when a replica comes back under another process id. */
  async #announce(): Promise<void> {
    const apps = this.apps.map(({ app, n, pid, port, adminPort, opsPort }) => ({ app, n, pid, ...(port !== null && { port }), ...(adminPort !== null && { admin_port: adminPort }), ops_port: opsPort }));
    const ready = { base_url: this.baseUrl, admin_url: this.adminUrl, key: this.key, admin_key_file: this.adminKeyFile, redis_url: this.redisUrl, database_url: this.databaseUrl, apps };
    await this.#run.write('ready.json', `${JSON.stringify(ready, null, 2)}\n`);
  }

  async #stopAll(graceMs: number): Promise<void> {
    // A start under way gives up by itself; only then is it known what there is to stop. Its error goes to who started.
    await this.#starting.catch(() => {});
    this.#written(this.#run.remove('ready.json'));
    const stop = (members: Member[]): Promise<unknown> => Promise.all(members.map(({ process }) => process.stop(graceMs)));
    await stop(this.#members.filter(({ seat }) => seat.app === 'gateway'));
    await stop(this.#members.filter(({ seat }) => seat.app !== 'gateway'));
    await Promise.all([this.#redis?.stop(), this.#postgres?.stop()]);
    this.#written(this.#run.remove('admin-key'));
    await this.#run.close();
  }

  /** A full disk must not end a cluster that runs: what could not be written is said, and that is all. */
  #written(change: Promise<unknown>): void {
    change.catch((error: unknown) => {
      const known = asLauncherError(error, this.#run.path);
      this.#say('error', known instanceof Error ? known.message : String(known));
    });
  }

  #say(level: OutputLine['level'], text: string): void {
    this.#output({ from: 'launcher', text, level });
  }

  #process(name: MemberName, n: number): SupervisedProcess {
    const service = name === 'redis' ? this.#redis : name === 'postgres' ? this.#postgres : null;
    const found = service?.process ?? this.#members.find(({ seat }) => seat.app === name && seat.n === n)?.process;
    if (found === undefined) throw new LauncherError(`This cluster does not run ${name} ${n}.`);
    return found;
  }
}

/**
 * Starts Redis and Postgres where no URL is given, then the apps, and waits until all are ready. Rejects with a LauncherError, one sentence, when
 * anything stands in the way; whatever was started by then is stopped again. `onMade` hands over the cluster at once, so that a start can be interrupted.
 */
export function startCluster(options: ClusterOptions, hooks: { onMade?: (cluster: Cluster) => void } = {}): Promise<Cluster> {
  return Cluster.start(options, hooks);
}

function reasonFrom(end: ProcessEnd): string {
  const words = end.lastWords.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('at '));
  return words.length === 0 ? ', and said nothing.' : `: ${words.slice(-4).join(' ')}`;
}
