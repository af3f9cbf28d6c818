import { closeSync, existsSync, fdatasync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { newId } from '@deja/contracts';
import { quarterOf } from './accepted.ts';
import { readSpool, spoolText, type SpoolContent, type SpoolLine } from './spool-lines.ts';
import { mayBeWriting } from '../workers/writing-process.ts';

const synced = promisify(fdatasync);
const SYNC_MS = 100;
/** A file is read whole when it is replayed, and that must be over in a moment. */
const FILE_BYTES = 2 * 1024 * 1024;

/** There is no room in the spool, though there may be on the disk. */
export class SpoolFull extends Error {
  constructor() {
    super('the spool has as many bytes as it may have');
    this.name = 'SpoolFull';
  }
}

/** A file of the spool, named `<pid>.<instance>.<id>.jsonl`: the process that has it, the gateway process that wrote it, and a name that stays when it is adopted and sorts by time. */
export interface SpoolFile {
  path: string;
  pid: number;
  instance: string;
  id: string;
}

export interface ClaimedFile extends SpoolFile {
  content: SpoolContent;
  /** All of it is where it belongs. */
  done: () => void;
}

/**
 * The gateway's only durable thing: openings, settlements and late attempts that Redis could not take, or the usage queue had no room for, one JSON line each.
 * A line is safe from the death of this process when `append` returns, and from a power cut a tenth of a second later. Files of a process that is gone are
 * adopted by another one on this disk.
 */
export class Spool {
  private readonly dir: string;
  private readonly instance: string;
  private readonly maxBytes: () => number;
  private fd: number | null = null;
  private file: string | null = null;
  private fileBytes = 0;
  private syncing: NodeJS.Timeout | null = null;
  private lastSync: Promise<void> = Promise.resolve();
  /** Operations that were settled, by file and quarter of an hour. */
  private readonly settled = new Map<string, Map<number, number>>();
  /** Of all gateways on this disk: as it was seen last, and what was changed here since. */
  bytes = 0;

  constructor(dir: string, instance: string, maxBytes: () => number) {
    this.dir = dir;
    this.instance = instance;
    this.maxBytes = maxBytes;
  }

  /** Throws when it is full or the disk refuses, and then nothing of it is written; the caller still has the lines. */
  append(lines: readonly SpoolLine[]): void {
    const text = Buffer.from(spoolText(lines));
    if (this.bytes + text.length > this.maxBytes()) throw new SpoolFull();
    const fd = this.opened();
    try {
      for (let at = 0; at < text.length; ) at += writeSync(fd, text, at);
    } catch (error) {
      this.takeBack(fd);
      throw error;
    }
    this.fileBytes += text.length;
    this.bytes += text.length;
    this.note(lines);
    this.syncing ??= setTimeout(() => void this.sync().catch(() => undefined), SYNC_MS).unref(); // a disk that fails shows at the next write
    if (this.fileBytes >= FILE_BYTES) this.rotate();
  }

  /** Resolves when everything that was appended is safe from a power cut; rejects when the disk does not say so. */
  sync(): Promise<void> {
    if (this.syncing) clearTimeout(this.syncing);
    this.syncing = null;
    if (this.fd !== null) this.lastSync = synced(this.fd);
    return this.lastSync;
  }

  /** Files that no other process on this machine has, oldest first: this process's own, and those of processes that are gone or, where process ids are counted anew, may be. */
  waiting(): SpoolFile[] {
    let names: string[];
    try {
      names = readdirSync(this.dir);
    } catch {
      return []; // no spool yet
    }
    const files = names.map((name) => this.fileNamed(name)).filter((file) => file !== null);
    return files.filter(({ pid }) => pid === process.pid || !mayBeWriting(pid)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Takes a file out of everyone else's reach and reads it; null when another process was faster. */
  claim(file: SpoolFile): ClaimedFile | null {
    if (file.path === this.file) this.rotate();
    const path = this.pathOf(file.instance, file.id);
    let text: Buffer;
    try {
      renameSync(file.path, path);
      text = readFileSync(path);
    } catch {
      return null; // adopted by another gateway on this disk
    }
    const done = (): void => {
      rmSync(path, { force: true });
      this.settled.delete(file.id);
      this.bytes = Math.max(0, this.bytes - text.length);
    };
    return { ...file, path, content: readSpool(text.toString()), done };
  }

  /** Settled operations in the files that this process wrote, by quarter of an hour (Unix ms). */
  settledByQuarter(): Map<number, number> {
    const all = new Map<number, number>();
    for (const file of this.settled.values()) for (const [quarterMs, count] of file) all.set(quarterMs, (all.get(quarterMs) ?? 0) + count);
    return all;
  }

  /** Sees how large the spool is, of all gateways on this disk. */
  async look(): Promise<void> {
    const names = await readdir(this.dir).catch(() => []);
    let bytes = 0;
    for (const name of names) if (name.endsWith('.jsonl')) bytes += await stat(join(this.dir, name)).then(({ size }) => size, () => 0);
    this.bytes = bytes;
  }

  close(): void {
    this.rotate();
  }

  private opened(): number {
    // Where several machines share a disk, one of them may have taken this for the file of a process that is gone: what it has read is not written to any more.
    if (this.file !== null && !existsSync(this.file)) this.rotate();
    if (this.fd !== null) return this.fd;
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    const file = this.pathOf(this.instance, newId());
    this.fd = openSync(file, 'a', 0o600);
    this.file = file;
    this.fileBytes = 0;
    return this.fd;
  }

  /** A write that a full disk cut short would spoil the next line as well. */
  private takeBack(fd: number): void {
    try {
      ftruncateSync(fd, this.fileBytes);
    } catch {
      this.rotate();
    }
  }

  private rotate(): void {
    const { fd } = this;
    this.fd = null;
    this.file = null;
    if (fd !== null) this.lastSync = synced(fd).finally(() => closeSync(fd));
    this.lastSync.catch(() => undefined); // whoever waits for it is told
  }

  private note(lines: readonly SpoolLine[]): void {
    const id = this.file === null ? undefined : this.fileNamed(basename(this.file))?.id;
    if (id === undefined) return;
    const quarters = this.settled.get(id) ?? new Map<number, number>();
    this.settled.set(id, quarters);
    for (const line of lines) {
      if (line.kind === 'settled') quarters.set(quarterOf(line.receivedAtMs), (quarters.get(quarterOf(line.receivedAtMs)) ?? 0) + 1);
    }
  }

  private pathOf(instance: string, id: string): string {
    return join(this.dir, `${process.pid}.${encodeURIComponent(instance)}.${id}.jsonl`);
  }

  private fileNamed(name: string): SpoolFile | null {
    // A host's name may have dots in it.
    const [, pid, instance, id] = /^(\d+)\.(.+)\.([^.]+)\.jsonl$/.exec(name) ?? [];
    if (pid === undefined || instance === undefined || id === undefined) return null;
    return { path: join(this.dir, name), pid: Number(pid), instance: decoded(instance), id };
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // of a version that wrote names as they are
  }
}
