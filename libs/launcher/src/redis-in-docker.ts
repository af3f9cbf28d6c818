import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { onPath } from './find-redis.ts';

const exec = promisify(execFile);
const IMAGE = 'redis:8-bookworm';
/** A container outlives a docker client that was killed; one of that name must go before the next can come. */
const SCRIPT = 'docker rm -f "$1" >/dev/null 2>&1; shift; exec docker run "$@"';

/** How to run Redis in a container of our own on that port of 127.0.0.1, with its files in `dir`; null when no docker engine answers. */
export async function redisInDocker(o: { dir: string; port: number; flags: string[] }): Promise<{ command: string; args: string[] } | null> {
  if ((await onPath(['docker'], process.env)) === null) return null;
  if (!(await exec('docker', ['info'], { timeout: 10_000 }).then(() => true, () => false))) return null;
  const name = `deja-redis-${createHash('sha256').update(o.dir).digest('hex').slice(0, 12)}`;
  const user = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`];
  const container = ['--rm', '--name', name, ...user, '-p', `127.0.0.1:${o.port}:6379`, '-v', `${o.dir}:/data`, IMAGE];
  // Inside, it listens for the port mapping; outside, only 127.0.0.1 is mapped.
  const server = ['redis-server', '--port', '6379', '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', '/data', ...o.flags];
  return { command: '/bin/sh', args: ['-c', SCRIPT, 'sh', name, ...container, ...server] };
}
