import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

export interface Terminal extends Writable {
  isTTY?: boolean;
  columns?: number;
}
export interface Keyboard extends Readable {
  isTTY?: boolean;
}

/** All that a run touches besides the network. */
export interface World {
  readonly env: NodeJS.ProcessEnv;
  /** Of the repository: where `npm start` keeps its data unless told otherwise. */
  readonly root: string;
  readonly stdin: Keyboard;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly nowMs: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  readonly readText: (path: string) => Promise<string>;
}

/** The world as this process finds it. The source and the bundle lie equally deep in the repository. */
export const systemWorld = (): World => ({
  env: process.env,
  root: join(import.meta.dirname, '..', '..', '..'),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  nowMs: () => Date.now(),
  wait,
  readText: (path) => readFile(path, 'utf8'),
});
