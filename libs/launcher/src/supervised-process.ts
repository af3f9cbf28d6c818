import { spawn, type ChildProcess } from 'node:child_process';
import { eachLine } from './line-splitter.ts';
import { LauncherError } from './launcher-error.ts';

/** What is to run, and what happens around it. */
export interface ProcessSpec {
  /** Names it in logs and pid files: `gateway-1`, `redis`. */
  name: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Another user to run as; only root may give one. */
  user?: { uid: number; gid: number } | null;
  /** The signal that asks it to finish; SIGTERM unless given. */
  stopSignal?: NodeJS.Signals;
  backoff?: Backoff;
  /** Every line it writes. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** A process was started, the first time or again. */
  onStart?: (pid: number) => void;
  /** It ended without being asked to. `again` says when it will be back; null when it will not. */
  onDeath?: (end: ProcessEnd, again: { inMs: number } | null) => void;
  /** It was stopped for good. */
  onStopped?: () => void;
  /** Decides whether a death is final. Unless given, every dead process comes back. */
  mayRestart?: (end: ProcessEnd) => boolean;
}

export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines it wrote to stderr. */
  lastWords: string[];
}

export interface Backoff {
  firstMs: number;
  maxMs: number;
  /** After this long a life, the next death counts as the first again. */
  forgetAfterMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { firstMs: 250, maxMs: 15_000, forgetAfterMs: 30_000 };
const LAST_WORDS = 20;
const PIPE_GRACE_MS = 3_000;

/** Milliseconds until the next start after `deaths` quick deaths in a row (1 or more): doubled each time, up to the ceiling. */
export function backoffMs(deaths: number, backoff: Backoff): number {
  return Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(deaths - 1, 30));
}

/**
 * One process that is started again, with backoff, whenever it ends without being asked to.
 * It runs in a process group of its own: a Ctrl-C at the terminal reaches the launcher only, which then stops its children in the right order.
 */
export class SupervisedProcess {
  readonly name: string;
  readonly #spec: ProcessSpec;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #wanted = false;
  #deaths = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(spec: ProcessSpec) {
    this.name = spec.name;
    this.#spec = spec;
  }

  /** The process id while it runs, else null. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Whether it is meant to run: true also between a death and the next start. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** Starts it and keeps it running. Rejects when the program cannot be executed at all. */
  async start(): Promise<void> {
    this.#wanted = true;
    this.#deaths = 0;
    if (this.#child === null) await this.#spawn();
  }

  /** Sends a signal to the process as it is now; whatever comes of it, it is still supervised. False when it does not run. */
  kill(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  /** Asks it to finish, waits up to `graceMs`, then kills it. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#wanted = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#child !== null) {
      const end = setTimeout(() => this.kill('SIGKILL'), graceMs);
      this.kill(this.#spec.stopSignal ?? 'SIGTERM');
      // A stopped (SIGSTOP) process would sleep through the request.
      this.kill('SIGCONT');
      await this.#exited;
      clearTimeout(end);
    }
    this.#spec.onStopped?.();
  }

  #spawn(): Promise<void> {
    const { command, args, env, cwd, user } = this.#spec;
    const startedAtMs = Date.now();
    const lastWords: string[] = [];
    const child = spawn(command, args, {
      env: env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
      ...user,
    });
    this.#child = child;
    if (child.pid !== undefined) this.#spec.onStart?.(child.pid);
    eachLine(child.stdout, (line) => this.#spec.onLine?.(line, 'stdout'));
    eachLine(child.stderr, (line) => {
      lastWords.push(line);
      if (lastWords.length > LAST_WORDS) lastWords.shift();
      this.#spec.onLine?.(line, 'stderr');
    });
    let finish = (): void => {};
    this.#exited = new Promise((resolve) => (finish = resolve));
    return new Promise((resolve, reject) => {
      let failed = false;
      child.once('spawn', resolve);
      child.once('error', (error) => {
        if (child.pid !== undefined) return; // a failed kill(): the process is there, and its end is told by 'close'
        failed = true;
        this.#child = null;
        finish();
        reject(new LauncherError(`${command} cannot be started (${error.message}).`, { cause: error }));
      });
      // A grandchild may hold the pipes open after its parent's death; it gets a moment to say its last words.
      child.once('exit', () => setTimeout(() => (child.stdout.destroy(), child.stderr.destroy()), PIPE_GRACE_MS).unref());
      // 'close' comes after the last line was read, so that the last words are complete.
      child.once('close', (code, signal) => {
        if (failed) return;
        this.#child = null;
        finish();
        this.#ended({ code, signal, lastWords }, Date.now() - startedAtMs);
      });
    });
  }

  #ended(end: ProcessEnd, livedMs: number): void {
    if (!this.#wanted) return;
    const backoff = this.#spec.backoff ?? DEFAULT_BACKOFF;
    if (this.#spec.mayRestart?.(end) === false) {
      this.#wanted = false;
      this.#spec.onDeath?.(end, null);
      return;
    }
    this.#deaths = livedMs > backoff.forgetAfterMs ? 1 : this.#deaths + 1;
    const inMs = backoffMs(this.#deaths, backoff);
    this.#spec.onDeath?.(end, { inMs });
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#spawn().catch((error: unknown) => this.#ended({ code: null, signal: null, lastWords: [String(error)] }, 0));
    }, inMs);
  }
}
