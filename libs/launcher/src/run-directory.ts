import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asLauncherError, LauncherError } from './launcher-error.ts';
import { LockFile } from './lock-file.ts';
import { endProcess, isAlive, processIdentity, type KnownProcess } from './process-identity.ts';

const LEFTOVER_GRACE_MS = 15_000;

/**
 * `<data dir>/run`: who runs on this data directory. `launcher.lock` names the one launcher, `<name>.pid` each process, and `processes.json`
 * when each of them started, so that after a crash of the launcher its children are told from strangers that got their ids.
 */
export class RunDirectory {
  readonly path: string;
  readonly #lock: LockFile;
  #processes = new Map<string, KnownProcess & { signal: NodeJS.Signals }>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.path = path;
    this.#lock = new LockFile(join(path, 'launcher.lock'));
  }

  /** Makes the directory and takes the lock. Throws a LauncherError when another launcher runs on this data directory. */
  static async open(dataDir: string): Promise<RunDirectory> {
    const run = new RunDirectory(join(dataDir, 'run'));
    try {
      await mkdir(run.path, { recursive: true, mode: 0o700 });
      const holder = await run.#lock.take();
      if (holder !== null) throw new LauncherError(`deja already runs on ${dataDir} (process ${holder.pid}): stop that one first, or set DEJA_DATA_DIR to another directory.`);
    } catch (error) {
      throw asLauncherError(error, dataDir);
    }
    return run;
  }

  /** Ends what a launcher that was killed left running here. Answers the names. */
  async endLeftovers(): Promise<string[]> {
    const text = await readFile(join(this.path, 'processes.json'), 'utf8').catch(() => '{}'); // not there after a clean stop
    const left = parsed<Record<string, KnownProcess & { signal: NodeJS.Signals }>>(text, {});
    const ended: string[] = [];
    const apps = Object.entries(left).filter(([name]) => name !== 'redis' && name !== 'postgres');
    const services = Object.entries(left).filter(([name]) => name === 'redis' || name === 'postgres');
    // What apps write while they finish still needs Redis and Postgres.
    for (const group of [apps, services]) {
      await Promise.all(
        group.map(async ([name, known]) => {
          if (await isAlive(known)) {
            ended.push(name);
            await endProcess(known, known.signal, LEFTOVER_GRACE_MS);
          }
          await rm(join(this.path, `${name}.pid`), { force: true });
        }),
      );
    }
    await rm(join(this.path, 'processes.json'), { force: true });
    await rm(join(this.path, 'ready.json'), { force: true });
    return ended;
  }

  /** Writes down a process that was started, now or again. */
  started(name: string, pid: number, signal: NodeJS.Signals): Promise<void> {
    return this.#inOrder(async () => {
      await writeFile(join(this.path, `${name}.pid`), `${pid}\n`, { mode: 0o600 });
      const identity = await processIdentity(pid);
      if (identity === null) return; // it died at once; its supervisor tells
      this.#processes.set(name, { pid, identity, signal });
      await this.#writeProcesses();
    });
  }

  stopped(name: string): Promise<void> {
    return this.#inOrder(async () => {
      await rm(join(this.path, `${name}.pid`), { force: true });
      this.#processes.delete(name);
      await this.#writeProcesses();
    });
  }

  /** Writes a file that appears whole and is readable for its owner only. */
  write(name: string, text: string): Promise<void> {
    return this.#inOrder(() => this.#replace(name, text));
  }

  remove(name: string): Promise<void> {
    return this.#inOrder(() => rm(join(this.path, name), { force: true }));
  }

  /** Gives the lock back. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#processes.size === 0) await rm(join(this.path, 'processes.json'), { force: true });
    await this.#lock.release();
  }

  #writeProcesses(): Promise<void> {
    return this.#replace('processes.json', JSON.stringify(Object.fromEntries(this.#processes)));
  }

  async #replace(name: string, text: string): Promise<void> {
    const file = join(this.path, name);
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await chmod(`${file}.new`, 0o600);
    await rename(`${file}.new`, file);
  }

  /** One change of the directory after the other; a failed one does not hold up the next. */
  #inOrder(change: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(change);
    this.#writing = done.catch(() => {});
    return done;
  }
}

/** A file of ours; what a crash cut short counts as absent. */
function parsed<T>(text: string, absent: T): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return absent;
  }
}
