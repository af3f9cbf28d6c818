import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from './client.ts';

const TOOLS = join(import.meta.dirname, '..', '..', 'tools');

let directory: string;
let child: ChildProcess | null = null;
let said = '';

beforeEach(async () => {
  said = '';
  directory = await mkdtemp(join(tmpdir(), 'deja-start-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

/** A program of Node's, whose words are `said`. */
function start(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const made = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  for (const stream of [made.stdout, made.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  return (child = made);
}

/** Goes on in a program as `npm start` does in its launcher. */
async function goOnIn(program: string): Promise<ChildProcess> {
  const file = join(directory, 'program.mjs');
  await writeFile(file, program);
  const from = `import { continueIn, stopWishes } from ${JSON.stringify(pathToFileURL(join(TOOLS, 'bootstrap.mjs')).href)};
    const wishes = stopWishes();
    process.on('SIGTERM', () => console.log('told'));
    process.exitCode = await continueIn(${JSON.stringify(relative(TOOLS, file))}, [], { hears: true, wishes });`;
  return start(['--input-type=module', '-e', from]);
}

test('a launcher that is told to stop while it is still being loaded hears of it when it can, and stops as it does later', async () => {
  const starting = await goOnIn(`
    console.log('loading');
    process.stdin.once('data', () => {
      process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); });
      process.send('hears signals');
    });`);
  await eventually('its loading', () => said.includes('loading'));
  starting.kill('SIGTERM');
  await eventually('the wish to be known', () => said.includes('told'));
  starting.stdin?.write('go');
  expect(await once(starting, 'close')).toEqual([0, null]);
  expect(said).toContain('stopped');
});

test('npm start that is told to stop while it starts stops what it has started, says so and exits with 0', async () => {
  const starting = start([join(TOOLS, 'start.mjs')], { DEJA_DATA_DIR: directory, PORT: '0', OPS_PORT: '0', OPENAI_API_KEY: '', DEJA_CONFIG: '' });
  await eventually('the start', () => said.includes('"msg":"starting"'), 60_000);
  starting.kill('SIGTERM');
  expect(await once(starting, 'close')).toEqual([0, null]);
  expect(said).toContain('"msg":"stopped"');
  expect(said).not.toContain('deja is ready');
  expect((await readdir(join(directory, 'run')).catch(() => [])).filter((name) => name.endsWith('.pid') || name === 'launcher.lock')).toEqual([]);
}, 120_000);
