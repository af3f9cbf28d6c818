import { randomUUID } from 'node:crypto';
import { closeSync, fdatasync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenOperation, UsageEvent } from '@deja/contracts';

export type SpoolLine = OpenOperation | UsageEvent;

/** What a line is about. A late attempt stands for itself, and never in place of its operation. */
export const lineId = (line: SpoolLine): string => (line.kind === 'late_attempt' ? line.attempt.id : line.id);

const SYNC_MS = 100;

/** What a spool file holds, with later lines about the same in place of earlier ones. */
export interface SpoolContent {
  /** Gateway process that wrote it. */
  instance: string;
  lines: SpoolLine[];
}

/**
 * The gateway's only durable thing: openings, settlements and late attempts that Redis could not take, one JSON line each. A line is
 * safe from the death of this process when the call returns, and from a power cut a tenth of a second later. Files are named `<pid>.<instance>.<n>.jsonl`; those of a dead process are adopted.
 */
export class Spool {
  private fd: number | null = null;
  private file: string | null = null;
  private syncing: NodeJS.Timeout | null = null;

  constructor(
    private readonly dir: string,
    private readonly instance: string,
  ) {}

  /** Throws when the disk refuses; the caller still has the lines. */
  append(lines: SpoolLine[]): void {
    if (this.fd === null) {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 });
      this.file = join(this.dir, `${process.pid}.${this.instance}.${randomUUID()}.jsonl`);
      this.fd = openSync(this.file, 'a', 0o600);
    }
    writeSync(this.fd, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.syncing ??= setTimeout(() => this.sync(), SYNC_MS).unref();
  }

  /** Files waiting to be replayed: this process's own, and those of processes that are gone. */
  waiting(): string[] {
    let names: string[];
    try {
      names = readdirSync(this.dir);
    } catch {
      return []; // no spool yet
    }
    return names.filter((name) => name.endsWith('.jsonl') && this.isOurs(name)).map((name) => join(this.dir, name));
  }

  /** Takes a file out of everyone else's reach and reads it; null when another process was faster. */
  claim(path: string): { content: SpoolContent; done: () => void } | null {
    if (path === this.file) this.rotate();
    const claimed = join(this.dir, `${process.pid}.${instanceOf(path)}.${randomUUID()}.jsonl`);
    try {
      renameSync(path, claimed);
    } catch {
      return null; // adopted by another gateway on this machine
    }
    return { content: { instance: instanceOf(path), lines: latest(readFileSync(claimed, 'utf8')) }, done: () => rmSync(claimed, { force: true }) };
  }

  close(): void {
    this.rotate();
  }

  private sync(): void {
    this.syncing = null;
    if (this.fd !== null) fdatasync(this.fd, () => undefined); // a disk that fails shows at the next write
  }

  private rotate(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
    this.file = null;
  }

  private isOurs(name: string): boolean {
    const pid = Number(name.split('.')[0]);
    return pid === process.pid || !isAlive(pid);
  }
}

const instanceOf = (path: string): string => (path.split('/').at(-1) ?? '').split('.')[1] ?? 'unknown';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The last line about each operation and each late attempt; a line that was cut by a crash while it was written is left out. */
function latest(text: string): SpoolLine[] {
  const byId = new Map<string, SpoolLine>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const parsed = JSON.parse(line) as SpoolLine;
      const id = lineId(parsed);
      if (byId.get(id)?.kind !== 'settled') byId.set(id, parsed);
    } catch {
      continue; // the torn last line of a crash
    }
  }
  return [...byId.values()];
}
