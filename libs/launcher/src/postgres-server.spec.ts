import { chmod, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, expect, test } from '@jest/globals';
import { startPostgres, type ManagedPostgres } from './postgres-server.ts';
import { ownDirectory } from '../test/own-directory.ts';

const started: ManagedPostgres[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.stop())));

async function start(dir: string): Promise<ManagedPostgres> {
  const server = await startPostgres({ dir, durable: false });
  started.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows as unknown[];
}

test('a Postgres that is killed is back on the same port, and a database is made once', async () => {
  const server = await start(join(await ownDirectory(), 'postgres'));
  const url = await server.createDatabase('a-b');
  await query(url, 'create table kept as select 1 as one');
  server.process.kill('SIGKILL');
  await server.whenReady();
  expect(await server.createDatabase('a-b')).toBe(url);
  expect(await query(url, 'select one from kept')).toEqual([{ one: 1 }]);
  await server.dropDatabase('a-b');
  await expect(query(url, 'select 1')).rejects.toThrow('does not exist');
});

test('a second start finds the data of the first, and the password is for the owner only', async () => {
  const dir = join(await ownDirectory(), 'postgres');
  const first = await start(dir);
  await query(first.url, 'create table kept as select 1 as one');
  await first.stop();
  expect(first.pid).toBeNull();
  const second = await start(dir);
  expect(await query(second.url, 'select one from kept')).toEqual([{ one: 1 }]);
  expect((await stat(join(dir, 'password'))).mode & 0o777).toBe(0o600);
  await expect(query(second.url.replace((await readFile(join(dir, 'password'), 'utf8')).trim(), 'wrong'), 'select 1')).rejects.toThrow('password authentication failed');
});

test('under root, a private directory that Postgres’ account cannot enter does no harm', async () => {
  const parent = await ownDirectory();
  await chmod(parent, 0o700);
  const dir = join(parent, 'postgres');
  const first = await start(dir);
  await query(first.url, 'create table kept as select 1 as one');
  await first.stop();
  const second = await start(dir);
  expect(await query(second.url, 'select one from kept')).toEqual([{ one: 1 }]);
  expect((await stat(parent)).mode & 0o777).toBe(0o700);
});
