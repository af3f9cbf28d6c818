// Runs before anything is installed, under whatever Node the machine has: plain JavaScript, no packages.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const NODE_MODULES = join(ROOT, 'node_modules');
const STAMP = join(NODE_MODULES, '.deja-lock');
/** Where Node keeps what it compiled of the launcher and the apps (https://nodejs.org/api/module.html#module-compile-cache): a fifth of each start. */
export const COMPILED = join(NODE_MODULES, '.cache', 'deja', 'compiled');
const OLDEST_PROJECT_NODE = [24, 15];
const PROGRESS_MS = 2_000;
const WATCH_PARENT_MS = 1_000;

/** A sentence for the reader; the process ends after it with a failure. */
export class BootstrapError extends Error {}

/** Stopped from outside. `code` is a shell's: 128 and the signal's number. */
class Stopped extends BootstrapError {
  constructor(message, signal) {
    super(message);
    this.code = 128 + constants.signals[signal];
  }
}

/** Hears signals from now on. `signal` is the first one, null until it comes; `tell` is for whoever runs at the moment and is to hear each. */
export function stopWishes() {
  const wishes = { signal: null, tell: (_signal) => {} };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      wishes.signal ??= signal;
      wishes.tell(signal);
    });
  }
  return wishes;
}

/** Installs the packages of the lock file unless exactly these are there. */
async function installDependencies(wishes) {
  const lockText = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const hash = createHash('sha256').update(lockText).digest('hex');
  if (readIfThere(STAMP) === hash) return;
  const lock = JSON.parse(lockText);
  if (!isInstalled(lock)) await npmCi(lock, wishes);
  writeFileSync(STAMP, hash);
}

/** Whether node_modules holds what the lock says: npm leaves a list of what it installed, written last. */
function isInstalled(lock) {
  const installed = JSON.parse(readIfThere(join(NODE_MODULES, '.package-lock.json')) ?? 'null')?.packages;
  if (!installed) return false;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.startsWith('node_modules/')) return true;
    const there = installed[path];
    // An optional package may be for another platform; one that is there must be the right one.
    return there ? there.version === wanted.version : wanted.optional === true || wanted.devOptional === true;
  });
}

async function npmCi(lock, wishes) {
  const expected = Object.keys(lock.packages).filter((path) => path.startsWith('node_modules/') && !lock.packages[path].optional);
  process.stderr.write(`Installing ${expected.length} packages (npm ci); this happens once, and when they change.\n`);
  const startedMs = Date.now();
  const count = () => expected.filter((path) => existsSync(join(ROOT, path, 'package.json'))).length;
  const atTerminal = process.stderr.isTTY === true;
  let shown = -1;
  const progress = setInterval(() => {
    const done = count();
    if (done === shown) return;
    shown = done;
    process.stderr.write(`${atTerminal ? '\r' : ''}  ${done} of ${expected.length} packages${atTerminal ? '' : '\n'}`);
  }, PROGRESS_MS);
  const { code, said } = await runNpm(['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'], wishes);
  clearInterval(progress);
  if (atTerminal && shown >= 0) process.stderr.write('\r');
  if (wishes.signal !== null) throw new Stopped('Stopped while packages were being installed: the next start installs them anew.', wishes.signal);
  if (code !== 0) {
    if (/ENOSPC|no space left/i.test(said)) throw new BootstrapError(`The disk that holds ${ROOT} is full: free some space there, then try again.`);
    throw new BootstrapError('The packages could not be installed: npm says why above. Try `npm ci` by hand.');
  }
  process.stderr.write(`Installed in ${Math.round((Date.now() - startedMs) / 1000)} s.\n`);
}

function runNpm(args, wishes) {
  // The npm that started this, under its own Node: the one in node_modules is about to be replaced.
  const npm = process.env.npm_execpath;
  const [command, before] = npm?.endsWith('.js') ? [process.env.npm_node_execpath ?? process.execPath, [npm]] : ['npm', []];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    wishes.tell = (signal) => child.kill(signal);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-20_000);
        process.stderr.write(chunk);
      });
    }
    child.once('error', (error) => reject(new BootstrapError(`npm cannot be started (${error.message}): is it on the PATH?`)));
    child.once('close', (code) => resolve({ code, said }));
  });
}

/** The Node that deja runs on: the one among its packages, else this one when it is new enough. */
export function projectNode() {
  const own = join(NODE_MODULES, '.bin', 'node');
  if (existsSync(own) && isNewEnough(spawnSync(own, ['--version'], { encoding: 'utf8' }).stdout ?? '')) return own;
  if (isNewEnough(process.version)) return process.execPath;
  const how = process.platform === 'darwin' ? 'type `brew install node@24 && brew link --overwrite node@24`' : 'install it from https://nodejs.org';
  throw new BootstrapError(`deja runs on Node ${OLDEST_PROJECT_NODE.join('.')} or newer, and there is no packaged one for ${process.platform}-${process.arch}; this is ${process.version}: ${how}, then try again.`);
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.trim().replace(/^v/, '').split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_PROJECT_NODE;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/**
 * Goes on in a TypeScript file under the project's own Node; resolves with its exit code. Signals are passed on: to a file that `hears` them, as one that has
 * something to stop, only when it says so by a message, because until then they would end it without a word. The file can tell from its IPC channel
 * (`process.on('disconnect')`) that this process was killed. `variables` are those of its environment that nobody has set.
 */
export function continueIn(script, args, { variables = {}, hears = false, wishes }) {
  const node = projectNode();
  const env = { ...variables, ...process.env, PATH: `${join(NODE_MODULES, '.bin')}:${process.env.PATH ?? ''}` };
  const child = spawn(node, ['--conditions=@deja/source', '--disable-warning=ExperimentalWarning', join(ROOT, 'tools', script), ...args], {
    cwd: ROOT,
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  wishes.tell = (signal) => hears || child.kill(signal);
  child.once('message', () => {
    wishes.tell = (signal) => child.kill(signal);
    if (hears && wishes.signal !== null) child.kill(wishes.signal);
  });
  if (process.env.npm_lifecycle_event !== undefined) stopWithParent(child);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new BootstrapError(`${node} cannot be started (${error.message}).`)));
    // A terminal sends Ctrl-C to both.
    child.once('exit', (code, signal) => (signal === null ? resolve(code ?? 1) : reject(new Stopped(wishes.signal === null ? `Ended by ${signal}.` : 'Stopped.', wishes.signal ?? signal))));
  });
}

/** An npm that is killed cannot pass that on; what it started should not outlive it. */
function stopWithParent(child) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, WATCH_PARENT_MS).unref();
}

/** Installs what is missing, then goes on in that file (see continueIn); whatever goes wrong is one sentence and a failure. */
export async function run(script, args, options = {}) {
  const wishes = stopWishes();
  try {
    await installDependencies(wishes);
    process.exitCode = await continueIn(script, args, { ...options, wishes });
  } catch (error) {
    process.stderr.write(`${error instanceof BootstrapError ? error.message : (error?.stack ?? error)}\n`);
    process.exitCode = error instanceof Stopped ? error.code : 1;
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // not there, which is an answer
  }
}
