import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId, type CaptureBatch } from '@deja/contracts';
import { mayBeWriting } from '../workers/writing-process.ts';

const BATCH = '.json';
const UNFINISHED = '.part';
/** Writing takes milliseconds: by then whoever began it is gone. */
const ABANDONED_MS = 60_000;

/**
 * Sealed captures that Redis has no room for, on this machine's disk: one batch a file, `<pid>.<id>.json`, so that the names of one process sort by time.
 * Files of a process that is gone are adopted; where containers share a volume, each of them is process 1, and two may send the same batch: it is recorded once. Nothing is
 * synced: a power cut may take the last of them.
 */
export class CaptureSpool {
  /** Bytes by file: this process's, and those it may adopt. */
  private readonly sizes = new Map<string, number>();
  private made = false;
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  get bytes(): number {
    let sum = 0;
    for (const bytes of this.sizes.values()) sum += bytes;
    return sum;
  }

  /** Looks for what other processes left behind. Never rejects. */
  async look(): Promise<void> {
    const names = await readdir(this.dir).catch(() => []); // no spool yet
    for (const name of names.filter(isLeftBehind).toSorted((a, b) => (idIn(a) < idIn(b) ? -1 : 1))) {
      const path = join(this.dir, name);
      if (name.endsWith(UNFINISHED)) await removeAbandoned(path);
      else if (!this.sizes.has(name)) this.sizes.set(name, await stat(path).then(({ size }) => size, () => 0));
    }
    const there = new Set(names);
    for (const name of this.sizes.keys()) if (!there.has(name)) this.sizes.delete(name); // adopted by another gateway
  }

  /** False where it does not fit below `mostBytes`, or the disk refuses. Never rejects. */
  async put(text: string, mostBytes: number): Promise<boolean> {
    const bytes = Buffer.byteLength(text);
    if (this.bytes + bytes > mostBytes) return false;
    const name = `${process.pid}.${newId()}${BATCH}`;
    const unfinished = join(this.dir, `${name}${UNFINISHED}`);
    try {
      if (!this.made) await mkdir(this.dir, { recursive: true, mode: 0o700 });
      this.made = true;
      await writeFile(unfinished, text, { mode: 0o600 });
      await rename(unfinished, join(this.dir, name));
      this.sizes.set(name, bytes);
      return true;
    } catch {
      this.made = false;
      await rm(unfinished, { force: true }).catch(() => undefined);
      return false;
    }
  }

  /** The next batch, oldest first but for those of others, out of every other process's reach; null when there is none. `done` removes it, `back` leaves it for a later try. What cannot be read is removed. */
  async claim(): Promise<{ batch: CaptureBatch; done: () => Promise<void>; back: () => void } | null> {
    for (const [name, bytes] of this.sizes) {
      this.sizes.delete(name);
      const claimed = `${process.pid}.${idIn(name)}${BATCH}`;
      const path = join(this.dir, claimed);
      try {
        await rename(join(this.dir, name), path);
      } catch {
        continue; // adopted by another gateway on this machine
      }
      const batch = await readFile(path, 'utf8').then((text) => JSON.parse(text) as CaptureBatch, () => null).catch(() => null);
      const done = (): Promise<void> => rm(path, { force: true }).catch(() => undefined);
      if (batch === null) await done();
      else return { batch, done, back: () => void this.sizes.set(claimed, bytes) };
    }
    return null;
  }
}

/** Whether it is not another living process's; an unfinished one may be anybody's. */
function isLeftBehind(name: string): boolean {
  const pid = Number(name.split('.')[0]);
  if (!Number.isInteger(pid)) return false;
  return name.endsWith(UNFINISHED) || (name.endsWith(BATCH) && (pid === process.pid || !mayBeWriting(pid)));
}

async function removeAbandoned(path: string): Promise<void> {
  const changedAtMs = await stat(path).then(({ mtimeMs }) => mtimeMs, () => Infinity);
  if (changedAtMs < Date.now() - ABANDONED_MS) await rm(path, { force: true }).catch(() => undefined);
}

const idIn = (name: string): string => name.split('.')[1] ?? '';
