import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createDatabase, dropDatabase, startPostgres, temporaryDirectory, type ManagedPostgres } from '@deja/launcher';
import { guard } from './cluster-guard.ts';

/** An empty Postgres database of one test's own. */
export interface TestDatabase {
  url: string;
  /** Throws the database away, whoever is connected. */
  drop(): Promise<void>;
}

/** A server for those who run one file of tests alone; it goes when the last of its databases does. */
let own: { server: Promise<ManagedPostgres>; directory: string; users: number; removeGuard: () => void } | null = null;

/** An empty database on the run's Postgres, which DEJA_TEST_POSTGRES_URL names; without that on a server that is started for this file of tests. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  const given = process.env['DEJA_TEST_POSTGRES_URL'];
  if (given !== undefined && given !== '') {
    return { url: await createDatabase(given, name), drop: () => dropDatabase(given, name) };
  }
  const server = await ownServer();
  return {
    url: await server.createDatabase(name),
    drop: async () => {
      await server.dropDatabase(name);
      await leave();
    },
  };
}

async function ownServer(): Promise<ManagedPostgres> {
  if (own === null) {
    const directory = await temporaryDirectory('deja-postgres-');
    own = { directory, users: 0, removeGuard: guard(directory), server: startPostgres({ dir: join(directory, 'postgres'), durable: false }) };
  }
  own.users += 1;
  return own.server;
}

async function leave(): Promise<void> {
  const left = own;
  if (left === null) return;
  left.users -= 1;
  if (left.users > 0) return;
  own = null;
  await (await left.server).stop();
  left.removeGuard();
  await rm(left.directory, { recursive: true, force: true });
}
