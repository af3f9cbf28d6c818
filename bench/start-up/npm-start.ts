import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { median } from './one-start.ts';

/** Seconds from typing `npm start` until it says that deja is ready: the first time with these files, and the times after. */
export async function npmStarts(root: string, dataDir: string, times: number): Promise<string[]> {
  const first = await npmStart(root, dataDir);
  const again: number[] = [];
  for (let n = 0; n < times; n++) again.push(await npmStart(root, dataDir));
  const s = (value: number): string => value.toFixed(1);
  return ['| `npm start`, s | n | median | least | most |', '|---|--:|--:|--:|--:|', `| first, built already | 1 | ${s(first)} | | |`, `| second | ${again.length} | ${s(median(again))} | ${s(Math.min(...again))} | ${s(Math.max(...again))} |`];
}

async function npmStart(root: string, dataDir: string): Promise<number> {
  const fromMs = performance.now();
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const npm = spawn('npm', ['start'], { cwd: root, env: { PATH, HOME, TMPDIR, LANG, DEJA_DATA_DIR: dataDir, PORT: '0', OPS_PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const seconds = await untilReady(npm).then(() => (performance.now() - fromMs) / 1000);
  if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGTERM');
  if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'exit');
  return seconds;
}

function untilReady(npm: ChildProcessByStdio<null, Readable, Readable>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('deja is ready')) resolve();
    });
  }
  npm.once('exit', () => reject(new Error(`npm start ended:\n${said.slice(-2000)}`)));
  return promise;
}
