import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { processIdentity } from './process-identity.ts';
import { RunDirectory } from './run-directory.ts';
import { ownDirectory } from '../test/own-directory.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function sleeper(): Promise<{ pid: number; gone: Promise<unknown> }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")'], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  await once(child.stdout, 'data');
  return { pid: child.pid!, gone: once(child, 'exit') };
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

test('one data directory has one launcher; the second one is told the process id of the first', async () => {
  const dataDir = await ownDirectory();
  const first = await RunDirectory.open(dataDir);
  await expect(RunDirectory.open(dataDir)).rejects.toThrow(`deja already runs on ${dataDir} (process ${process.pid})`);
  await first.close();
  await (await RunDirectory.open(dataDir)).close();
});

test('the lock of a launcher that was killed is taken over, also when its process id belongs to somebody else by now', async () => {
  const dataDir = await ownDirectory();
  await (await RunDirectory.open(dataDir)).close();
  const lock = join(dataDir, 'run', 'launcher.lock');
  const stranger = await sleeper();
  for (const stale of [JSON.stringify({ pid: stranger.pid, identity: 'an earlier boot:1' }), '{"pid":', '']) {
    await writeFile(lock, stale);
    const taken = await RunDirectory.open(dataDir);
    expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid });
    await taken.close();
  }
});

test('of several starts that find a stale lock at once, one gets it', async () => {
  const dataDir = await ownDirectory();
  await (await RunDirectory.open(dataDir)).close();
  await writeFile(join(dataDir, 'run', 'launcher.lock'), JSON.stringify({ pid: 1, identity: 'an earlier boot:1' }));
  const starts = await Promise.allSettled(Array.from({ length: 5 }, () => RunDirectory.open(dataDir)));
  expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('what a killed launcher left running is ended; a stranger that has such a process id by now is not', async () => {
  const dataDir = await ownDirectory();
  const ours = await sleeper();
  const stranger = await sleeper();
  const killed = await RunDirectory.open(dataDir);
  await killed.started('router-1', ours.pid, 'SIGTERM');
  await killed.started('redis', stranger.pid, 'SIGTERM');
  expect(await readFile(join(dataDir, 'run', 'router-1.pid'), 'utf8')).toBe(`${ours.pid}\n`);
  await killed.close(); // stands for its death: the files are as they were
  const known = JSON.parse(await readFile(join(dataDir, 'run', 'processes.json'), 'utf8')) as Record<string, { identity: string }>;
  known['redis']!.identity = 'an earlier boot:1';
  await writeFile(join(dataDir, 'run', 'processes.json'), JSON.stringify(known));

  const next = await RunDirectory.open(dataDir);
  expect(await next.endLeftovers()).toEqual(['router-1']);
  await ours.gone;
  expect(await processIdentity(stranger.pid)).not.toBeNull();
  expect(await exists(join(dataDir, 'run', 'router-1.pid'))).toBe(false);
  expect(await exists(join(dataDir, 'run', 'redis.pid'))).toBe(false);
  await next.close();
});

test('a process that is stopped leaves no file behind', async () => {
  const dataDir = await ownDirectory();
  const run = await RunDirectory.open(dataDir);
  await run.started('router-1', process.pid, 'SIGTERM');
  await run.stopped('router-1');
  await run.close();
  for (const name of ['router-1.pid', 'processes.json', 'launcher.lock']) expect(await exists(join(dataDir, 'run', name))).toBe(false);
});
