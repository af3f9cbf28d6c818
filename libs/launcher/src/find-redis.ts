import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { execFile, spawn } from 'node:child_process';
import { LauncherError } from './launcher-error.ts';

const exec = promisify(execFile);

const OLDEST_MAJOR = 7;
const DOCKER_COMMAND = 'docker run -d -p 127.0.0.1:6379:6379 redis:8';
const PROGRAMS = ['redis-server', 'valkey-server'];
/** Where package managers put programs that a non-interactive shell's PATH may lack. */
const MORE_PLACES = ['/usr/local/bin', '/usr/bin', '/opt/homebrew/bin', '/usr/sbin'];

export interface FindRedisOptions {
  env?: NodeJS.ProcessEnv;
  /** What is being done, for someone who waits: an installation can take a minute. */
  onProgress?: (line: string) => void;
  /** Where to look beside the PATH; the usual places unless given. */
  places?: string[];
}

/**
 * Path of a redis-server or valkey-server, which take the same flags: one on the PATH, else installed by the platform's package manager without asking anything (apt-get as root or with
 * `sudo -n`, or brew). A service that the installation may start is left alone: deja starts a Redis of its own.
 * Throws a LauncherError with the one command to type when there is no way.
 */
export async function findRedisServer(options: FindRedisOptions = {}): Promise<string> {
  const { env = process.env, places = MORE_PLACES } = options;
  const found = await onPath(PROGRAMS, env, places);
  if (found !== null) return newEnough(found);
  const installation = await installer(env);
  if (installation !== null) {
    options.onProgress?.(`Redis is not installed yet: running ${installation.shown}`);
    let succeeded = true;
    for (const command of installation.commands) succeeded = (await run(command, env, options.onProgress)) && succeeded;
    const installed = await onPath(PROGRAMS, env, places);
    if (installed !== null) return newEnough(installed);
    if (!succeeded) options.onProgress?.('The installation of Redis failed.');
  }
  throw new LauncherError(`deja needs Redis 7 or newer, and there is none here: type \`${await commandToType(env)}\`, or set REDIS_URL to one that runs, then start again.`);
}

/** That program, unless it says that it is too old: then a LauncherError. */
async function newEnough(program: string): Promise<string> {
  const { stdout } = await exec(program, ['--version'], { timeout: 5_000 }).catch(() => ({ stdout: '' })); // what cannot say its version shows at the start what it can
  const version = /v=(\d+)\.(\d+)[\d.]*/.exec(stdout);
  if (version === null || Number(version[1]) >= OLDEST_MAJOR) return program;
  throw new LauncherError(`deja needs Redis ${OLDEST_MAJOR} or newer, and ${program} is ${version[0].slice(2)}: type \`${DOCKER_COMMAND}\` and set REDIS_URL=redis://127.0.0.1:6379, then start again.`);
}

/** The first of these programs in a directory of the PATH (then of `more`), or null. */
export async function onPath(programs: string[], env: NodeJS.ProcessEnv, more: string[] = []): Promise<string | null> {
  const directories = [...(env['PATH'] ?? '').split(delimiter).filter((part) => part !== ''), ...more];
  for (const program of programs) {
    for (const directory of directories) {
      const path = join(directory, program);
      if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
    }
  }
  return null;
}

interface Installation {
  shown: string;
  commands: string[][];
}

async function installer(env: NodeJS.ProcessEnv): Promise<Installation | null> {
  if (env['DEJA_NO_INSTALL'] === '1') return null;
  const aptGet = await onPath(['apt-get'], env);
  if (aptGet !== null) {
    const asRoot = await rootPrefix(env);
    if (asRoot === null) return null;
    const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
    return {
      shown: 'apt-get install redis-server',
      commands: [[...apt, 'update', '-q'], [...apt, 'install', '-q', '-y', '--no-install-recommends', 'redis-server']],
    };
  }
  const brew = await onPath(['brew'], env, ['/opt/homebrew/bin', '/usr/local/bin']);
  return brew === null ? null : { shown: 'brew install redis', commands: [[brew, 'install', '--quiet', 'redis']] };
}

/** What to put before a command so that it runs as root without a question: nothing for root, sudo where it asks no password, null where there is no way. */
async function rootPrefix(env: NodeJS.ProcessEnv): Promise<string[] | null> {
  if (process.getuid?.() === 0) return [];
  const sudo = await onPath(['sudo'], env);
  if (sudo === null || !(await run([sudo, '-n', 'true'], env))) return null;
  return [sudo, '-n'];
}

async function commandToType(env: NodeJS.ProcessEnv): Promise<string> {
  if ((await onPath(['apt-get'], env)) !== null) return process.getuid?.() === 0 ? 'apt-get install -y redis-server' : 'sudo apt-get install -y redis-server';
  if ((await onPath(['dnf'], env)) !== null) return 'sudo dnf install -y redis';
  if ((await onPath(['apk'], env)) !== null) return 'apk add redis';
  if ((await onPath(['pacman'], env)) !== null) return 'sudo pacman -S redis';
  if (process.platform === 'darwin') return 'brew install redis';
  return DOCKER_COMMAND;
}

function run(command: string[], env: NodeJS.ProcessEnv, onProgress?: (line: string) => void): Promise<boolean> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => text.split('\n').filter((line) => line.trim() !== '').forEach((line) => onProgress?.(line.trim())));
    }
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
