import { access, constants, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { jsonOutput, LauncherError, prettyOutput, scaleFromArguments, secretFrom, startCluster, type Cluster, type Output } from '@deja/launcher';
import { announcement } from './announcement.ts';
import { buildIfChanged } from './build.ts';
import { compileApps } from './compile.ts';

const ROOT = join(import.meta.dirname, '..');
/** One Ctrl-C arrives up to three times: from the terminal, from npm and from start.mjs. */
const SAME_PRESS_MS = 1_000;

/** What the person who typed `npm start` wants, from arguments and environment. Throws a LauncherError. */
function wishes(): { scale: ReturnType<typeof scaleFromArguments>; port: number; opsPort: number; host: string; dataDir: string } {
  return {
    scale: scaleFromArguments(process.argv.slice(2)),
    port: portFrom('PORT', 3000),
    opsPort: portFrom('OPS_PORT', 9460),
    host: given('HOST') ?? '127.0.0.1',
    dataDir: resolve(ROOT, given('DEJA_DATA_DIR') ?? '.deja'),
  };
}

function given(name: string): string | null {
  const value = process.env[name]?.trim();
  return value === undefined || value === '' ? null : value;
}

function portFrom(name: string, otherwise: number): number {
  const value = given(name);
  if (value === null) return otherwise;
  if (!/^\d+$/.test(value) || Number(value) > 65_535) throw new LauncherError(`${name} must be a port between 0 and 65535, but it is ${JSON.stringify(value)}.`);
  return Number(value);
}

/** The configuration file's path, checked before anything is started. None at the usual place is fine; one that cannot be read is not. */
async function configPath(): Promise<string> {
  const named = given('DEJA_CONFIG');
  const path = resolve(ROOT, named ?? 'deja.yaml');
  try {
    if ((await stat(path)).isDirectory()) throw new LauncherError(`The configuration ${path} is a directory: it must be a file.`);
    await access(path, constants.R_OK);
  } catch (error) {
    if (error instanceof LauncherError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'ENOENT') throw new LauncherError(`The configuration ${path} cannot be read (${String(code)}): change its permissions, or point DEJA_CONFIG to another file.`, { cause: error });
    if (named !== null) throw new LauncherError(`DEJA_CONFIG names ${path}, but there is no such file.`, { cause: error });
  }
  return path;
}

function output(): Output {
  const debug = /^(debug|trace)$/i.test(process.env['LOG_LEVEL'] ?? '');
  return process.stderr.isTTY ? prettyOutput(process.stderr, { debug, width: 'semantic-cache-1'.length }) : jsonOutput(process.stderr, { debug });
}

/** Calls back at the first wish to stop, and again for a second one. */
function onStopWish(callback: (again: boolean) => void): void {
  let firstAtMs: number | null = null;
  const wished = (): void => {
    const nowMs = Date.now();
    if (firstAtMs === null) {
      firstAtMs = nowMs;
      callback(false);
    } else if (nowMs - firstAtMs > SAME_PRESS_MS) callback(true);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, wished);
  process.on('disconnect', wished); // start.mjs was killed
  process.channel?.unref();
}

async function main(): Promise<void> {
  const startedAtMs = Date.now();
  // A terminal that was closed takes no more lines; that is no reason to lose the drain.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const say = output();
  const aborted = new AbortController();
  let cluster: Cluster | null = null;
  const stops: Promise<void>[] = [];
  onStopWish((again) => {
    if (again) say({ from: 'launcher', text: 'stopping at once', level: 'warn' });
    else say({ from: 'launcher', text: cluster === null ? 'stopping' : 'draining; Ctrl-C again to stop at once', level: 'info' });
    aborted.abort();
    if (cluster !== null) stops.push(cluster.stop({ force: again }));
  });
  process.send?.('hears signals'); // start.mjs keeps them until now
  try {
    const { scale, port, opsPort, host, dataDir } = wishes();
    const config = await configPath();
    const built = await buildIfChanged({ root: ROOT, signal: aborted.signal, onStart: () => say({ from: 'launcher', text: 'building the apps', level: 'info' }) });
    if (built) await compileApps(ROOT, aborted.signal);
    aborted.signal.throwIfAborted();
    say({ from: 'launcher', text: 'starting', level: 'info' });
    const running = await startCluster(
      { dataDir, scale, port, opsPort, host, env: appsEnvironment(config), redisUrl: await secretFrom(process.env, 'REDIS_URL'), databaseUrl: await secretFrom(process.env, 'DATABASE_URL'), output: say },
      {
        onMade: (made) => {
          cluster = made;
          if (aborted.signal.aborted) stops.push(made.stop());
        },
      },
    );
    process.stdout.write(await announcement(running, { adminKeyFile: shown(running.adminKeyFile), tookMs: Date.now() - startedAtMs }));
  } catch (error) {
    if (!aborted.signal.aborted) throw error;
  }
  await untilAborted(aborted.signal);
  await Promise.all(stops);
  say({ from: 'launcher', text: 'stopped', level: 'info' });
}

function appsEnvironment(config: string): NodeJS.ProcessEnv {
  return { NODE_ENV: 'production', DEJA_LOG_PRETTY: process.stderr.isTTY ? '1' : '', ...process.env, DEJA_CONFIG: config };
}

/** The path as one would type it here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') || isAbsolute(short) ? path : short;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // The timer keeps the process alive also while every child is between two lives.
  const alive = setInterval(() => {}, 60_000);
  return new Promise((done) => signal.addEventListener('abort', () => (clearInterval(alive), done()), { once: true }));
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof LauncherError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
