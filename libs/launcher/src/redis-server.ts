import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { findRedisServer } from './find-redis.ts';
import { redisInDocker } from './redis-in-docker.ts';
import { asLauncherError, LauncherError } from './launcher-error.ts';
import { poll } from './poll.ts';
import { freePort } from './port.ts';
import { SupervisedProcess, type ProcessSpec } from './supervised-process.ts';

export interface RedisOptions {
  /** Where its files go; made when missing. */
  dir: string;
  /** A free one unless given. */
  port?: number;
  /** Append-only file, synced every second: what a crash may lose. Off unless given. */
  appendonly?: boolean;
  /** Around the process: lines, starts, deaths. */
  watch?: Pick<ProcessSpec, 'onLine' | 'onStart' | 'onDeath' | 'onStopped'>;
  /** A program already found; else findRedisServer looks, and docker is the last resort. */
  program?: string;
  /** What is being done when Redis has to be installed first. */
  onProgress?: (line: string) => void;
}

/** A Redis of ours, started again when it dies, always on the same port. */
export interface ManagedRedis {
  url: string;
  port: number;
  /** Of the process as it is now; null between a death and the next start. */
  readonly pid: number | null;
  readonly process: SupervisedProcess;
  /** Resolves when it answers PING, which is after it has read its files; rejects with a LauncherError at the deadline. */
  whenReady(deadlineMs?: number): Promise<void>;
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 10_000;
/** Long enough to read a large append-only file, or to pull an image. */
const READY_MS = 180_000;

/** Starts a Redis on 127.0.0.1 and waits until it answers. Rejects with a LauncherError that quotes what Redis said when it does not. */
export async function startRedis(options: RedisOptions): Promise<ManagedRedis> {
  // What it writes holds answers; it is for the launcher's own user.
  await mkdir(options.dir, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw asLauncherError(error, options.dir);
  });
  const port = options.port ?? (await freePort());
  const command = await commandFor(options, port);
  const said: string[] = [];
  let ready = false;
  const server = new SupervisedProcess({
    name: 'redis',
    ...command,
    ...options.watch,
    onLine: (line, stream) => {
      said.push(line);
      if (said.length > 5) said.shift();
      options.watch?.onLine?.(line, stream);
    },
    // A Redis that has never answered will not do better the second time; one that has may come back.
    mayRestart: () => ready,
  });
  const whenReady = async (deadlineMs = READY_MS): Promise<void> => {
    const answer = await poll(() => (server.wanted ? ping(port) : 'gone'), { deadlineMs, everyMs: 10 });
    if (answer === 'PONG') return;
    throw new LauncherError(startFailure(options.dir, said));
  };
  await server.start();
  try {
    await whenReady();
  } catch (error) {
    await server.stop(STOP_GRACE_MS);
    throw error;
  }
  ready = true;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    process: server,
    whenReady,
    stop: () => server.stop(STOP_GRACE_MS),
  };
}

async function commandFor(options: RedisOptions, port: number): Promise<{ command: string; args: string[] }> {
  const durability = options.appendonly === true ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  const flags = ['--daemonize', 'no', '--maxmemory-policy', 'noeviction', ...durability, '--save', ''];
  try {
    const program = options.program ?? (await findRedisServer(options.onProgress === undefined ? {} : { onProgress: options.onProgress }));
    return { command: program, args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', options.dir, ...flags] };
  } catch (error) {
    const docker = await redisInDocker({ dir: options.dir, port, flags });
    if (docker === null) throw error;
    options.onProgress?.('Redis is not installed here: it runs in docker');
    return docker;
  }
}

function startFailure(dir: string, said: string[]): string {
  const text = said.join(' ');
  if (/no space left/i.test(text)) return `The disk that holds ${dir} is full: free some space there, then start again.`;
  if (/permission denied/i.test(text)) return `Redis may not write to ${dir}: change the owner of that directory.`;
  return `Redis did not start: ${said.at(-1) ?? 'it said nothing'}.`;
}

/** PING over a connection of its own; null when nobody answers, or not yet (`LOADING`). */
export function ping(port: number, host = '127.0.0.1'): Promise<'PONG' | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (answer: 'PONG' | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(null));
    socket.once('error', () => end(null));
    socket.once('close', () => resolve(null));
    socket.once('data', (data) => end(data.toString('utf8').startsWith('+PONG') ? 'PONG' : null));
    socket.once('connect', () => socket.write('PING\r\n'));
  });
}
