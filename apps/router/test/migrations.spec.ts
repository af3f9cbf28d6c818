import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { keySha256, newId } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { testDatabase, type TestDatabase } from '@deja/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { AlertInputsRepository } from '../src/alerts/alert-inputs.repository.ts';
import { ClientKeysRepository } from '../src/keys/client-keys.repository.ts';
import { principalOf } from '../src/keys/principal.ts';
import { bootstrap } from '../src/tenants/bootstrap.ts';
import { recorder } from './infrastructure.ts';

jest.setTimeout(60_000);

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const { logger } = recorder();

let database: TestDatabase;
let pool: Pool;
let folder: string;
beforeAll(async () => {
  database = await testDatabase();
  pool = openPool(database.url, { name: 'test', logger });
  folder = await mkdtemp(join(tmpdir(), 'deja-migrations-'));
});
afterAll(async () => {
  await pool.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** The migrations before this one. */
async function before(tag: string): Promise<string> {
  await cp(MIGRATIONS, folder, { recursive: true });
  const path = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(await readFile(path, 'utf8')) as { entries: { tag: string }[] };
  await writeFile(path, JSON.stringify({ ...journal, entries: journal.entries.filter((entry) => entry.tag < tag) }));
  return folder;
}

test('what a version without request log and alerts has kept goes on as it was, and it may run on beside a newer one', async () => {
  await migrate(pool, { folder: await before('0005'), schema: 'router', logger });
  const budgets = JSON.stringify([{ usd: '5', period: 'day', mode: 'hard', time_zone: 'UTC' }]);
  const make = async (tenant: string): Promise<string> => {
    const key = newId();
    await pool.query('insert into router.tenants (id, name, budgets) values ($1, $1, $2)', [tenant, budgets]);
    await pool.query('insert into router.client_keys (id, tenant, name) values ($1, $2, \'k\')', [key, tenant]);
    await pool.query('insert into router.client_key_secrets (key_sha256, key) values ($1, $2)', [keySha256(tenant), key]);
    return key;
  };
  const first = await make('first');
  await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
  const db = drizzle(pool);
  await bootstrap(db, null);
  const stored = await new ClientKeysRepository(db).findByHash(keySha256('first'), new Date());
  expect(principalOf(stored!)).toMatchObject({ tenant: 'first', key: first, budgets: { tenant: JSON.parse(budgets) } });
  expect(principalOf(stored!)).not.toHaveProperty('capture');

  const inputs = new AlertInputsRepository(db);
  const seen = await inputs.state(new Date());
  await make('second'); // as the version before does
  expect(await inputs.state(new Date())).not.toBe(seen);
  expect((await inputs.budgets(new Date(), { tenants: false, keys: false })).tenants.map(({ tenant }) => tenant)).toEqual(['first', 'second']);
});
