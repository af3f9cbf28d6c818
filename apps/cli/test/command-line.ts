import { PassThrough, Writable } from 'node:stream';
import { run } from '../src/run.ts';
import type { Keyboard, Terminal, World } from '../src/world.ts';
import { ADMIN_KEY, type ScriptedAdminApi } from './scripted-admin-api.ts';

/** 2026-01-10 00:00 UTC: what "now" is in tests. */
export const NOW_MS = Date.UTC(2026, 0, 10);
export const ROOT = '/deja';

export interface Given {
  /** null: none is named. */
  api: ScriptedAdminApi | null;
  env?: NodeJS.ProcessEnv;
  /** Piped into standard input. */
  stdin?: string;
  /** Typed at a terminal, in place of `stdin`. */
  typed?: string;
  files?: Record<string, string>;
  /** Both outputs are terminals of so many columns. */
  terminal?: number;
}
export interface Ended {
  code: number;
  out: string;
  outBytes: Buffer;
  err: string;
  waitedMs: number[];
}

/** One command line in this process, with the world around it made up. */
export async function deja(args: string[], { api, env = {}, stdin = '', typed, files = {}, terminal }: Given): Promise<Ended> {
  const waitedMs: number[] = [];
  const [stdout, stderr] = [collector(terminal), collector(terminal)];
  const world: World = {
    env: { ...(api !== null && { DEJA_URL: api.url, DEJA_ADMIN_KEY: ADMIN_KEY }), ...env },
    root: ROOT,
    stdin: typed === undefined ? piped(stdin) : Object.assign(piped(typed), { isTTY: true, setRawMode: () => undefined }),
    stdout,
    stderr,
    nowMs: () => NOW_MS,
    wait: (ms) => {
      waitedMs.push(ms);
      return Promise.resolve();
    },
    readText: (path) => {
      const text = files[path];
      return text === undefined ? Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' })) : Promise.resolve(text);
    },
  };
  const code = await run(args, world);
  return { code, out: stdout.text(), outBytes: stdout.bytes(), err: stderr.text(), waitedMs };
}

function piped(text: string): Keyboard {
  const stream = new PassThrough();
  stream.end(text);
  return stream;
}

function collector(columns?: number): Terminal & { text: () => string; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer | string, _encoding, done) => {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString(), bytes: () => Buffer.concat(chunks), ...(columns !== undefined && { isTTY: true, columns }) });
}
