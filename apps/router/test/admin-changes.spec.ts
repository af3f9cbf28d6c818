import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { DejaError, type AdminChange, type RouterRpc } from '@deja/contracts';
import { openPool, type Pool } from '@deja/postgres';
import { TcpPath } from '@deja/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Changes, etagOf } from '../src/admin/changes.ts';
import { tenants } from '../src/schema/tables.ts';
import type { Database, Transaction } from '../src/schema/transaction.ts';
import { AdminStage, changeBy, ROOT, scoped } from './admin-stage.ts';
import { recorder } from './infrastructure.ts';

jest.setTimeout(60_000);

const KEY = 'an-idempotency-key';

let stage: AdminStage;
let path: TcpPath;
let pool: Pool;
let db: Database;
let changes: Changes;
let lines: Record<string, unknown>[];
/** Two replicas of the router take the calls in turn. */
beforeAll(async () => {
  stage = await AdminStage.open(2);
  const recorded = recorder();
  lines = recorded.lines;
  path = await TcpPath.to(stage.database.url);
  pool = openPool(path.url, { name: 'test', logger: recorded.logger });
  db = drizzle(pool);
  changes = new Changes({ db, salt: Buffer.alloc(32, 1), logger: recorded.logger });
});
afterAll(async () => {
  await path.close();
  await pool.end();
  await stage.close();
});

const entry = (id: string): { action: string; resource: string; resourceId: string; tenant: string; before: null; after: object } => ({ action: 'createTenant', resource: 'tenant', resourceId: id, tenant: id, before: null, after: { id } });
const make = (id: string) => async (tx: Transaction) => {
  await tx.insert(tenants).values({ id, name: id });
  return { body: { id }, etag: etagOf(1), audit: entry(id) };
};
const under = (key: string, fingerprint = 'f'): AdminChange => changeBy(ROOT, { idempotency: { key, fingerprint } });
const rows = async (table: string, where: string, value: string): Promise<number> => Number((await stage.sql.query<{ n: string }>(`select count(*) as n from router.${table} where ${where} = $1`, [value])).rows[0]!.n);

describe('a change', () => {
  test('and its row of the audit log are one: work that fails leaves neither, nor an answer', async () => {
    const failing = async (tx: Transaction): Promise<never> => {
      await make('failing')(tx);
      throw new DejaError('conflict', 'no');
    };
    await expect(changes.run(under('key-of-what-fails'), failing)).rejects.toMatchObject({ code: 'conflict' });
    expect([await rows('tenants', 'id', 'failing'), await rows('audit', 'resource_id', 'failing')]).toEqual([0, 0]);
    expect(await changes.run(under('key-of-what-fails'), make('failing'))).toMatchObject({ replayed: false, body: { id: 'failing' } });
    expect([await rows('tenants', 'id', 'failing'), await rows('audit', 'resource_id', 'failing')]).toEqual([1, 1]);
  });

  test('is not made when its row of the audit log cannot be written', async () => {
    await stage.sql.query('alter table router.audit add constraint no_planted check (resource_id <> \'unaudited\')');
    await expect(changes.run(changeBy(ROOT), make('unaudited'))).rejects.toThrow('insert into "router"."audit"');
    await stage.sql.query('alter table router.audit drop constraint no_planted');
    expect(await rows('tenants', 'id', 'unaudited')).toBe(0);
  });

  test('stands when what comes afterwards fails, and that is logged', async () => {
    const done = await changes.run(changeBy(ROOT), async (tx) => ({ ...(await make('untold')(tx)), afterwards: () => Promise.reject(new Error('planted')) }));
    expect(done.body).toEqual({ id: 'untold' });
    expect(lines.some((line) => line['action'] === 'createTenant' && String(line['msg']).includes('could not be told'))).toBe(true);
  });

  test('that Postgres undid because of another one is made again', async () => {
    let attempts = 0;
    await changes.run(changeBy(ROOT), async (tx) => {
      attempts += 1;
      if (attempts === 1) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
      return make('again')(tx);
    });
    expect([attempts, await rows('tenants', 'id', 'again'), await rows('audit', 'resource_id', 'again')]).toEqual([2, 1, 1]);
  });

  test('is to be tried again later while Postgres is away', async () => {
    path.set('cut');
    await expect(changes.run(changeBy(ROOT), make('away'))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    path.set('open');
    expect(await rows('tenants', 'id', 'away')).toBe(0);
  });

  test('waits for one that holds its row, and no longer than a caller does', async () => {
    const held = await stage.sql.connect();
    await held.query('begin; select * from router.tenants where id = \'default\' for update');
    await expect(stage.call('updateTenant', { params: { id: 'default' }, body: { name: 'Default' } })).rejects.toMatchObject({ code: 'overloaded' });
    await held.query('rollback');
    held.release();
    expect((await stage.call('updateTenant', { params: { id: 'default' }, body: { name: 'Default' } })).body).toMatchObject({ name: 'Default' });
  });
});

describe('an idempotency key', () => {
  test('gives the same answer again, whichever replica is asked, and its secret to whom asks then', async () => {
    await stage.tenant('keys');
    const body = { tenant: 'keys', name: 'once' };
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push(await stage.call('createKey', { body, key: 'key-of-one-client-key' }));
    expect(answers.map(({ replayed }) => replayed)).toEqual([false, true, true, true]);
    expect(new Set(answers.map(({ secret }) => secret)).size).toBe(1);
    expect(answers[0]!.secret).toMatch(/^sk-deja-/);
    expect(new Set(answers.map((answer) => JSON.stringify([answer.body, answer.etag]))).size).toBe(1);
    expect(await rows('client_keys', 'tenant', 'keys')).toBe(1);
    expect(await stage.audited(String(answers[0]!.body['id']))).toHaveLength(1);
  });

  test('lets exactly one of many that come at once make the change; the others get its answer', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => stage.call('createTenant', { body: { name: 'At Once' }, key: 'key-of-many-at-once' })));
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const made = await stage.sql.query('select id from router.tenants where name = \'At Once\'');
    expect(made.rows).toEqual([{ id: 'at-once' }]);
    expect(await rows('audit', 'resource_id', 'at-once')).toBe(1);
  });

  test('stands for one request only', async () => {
    await stage.call('createTenant', { body: { id: 'first-request' }, key: KEY });
    await expect(stage.call('createTenant', { body: { id: 'second-request' }, key: KEY })).rejects.toMatchObject({ code: 'conflict' });
    expect(await rows('tenants', 'id', 'second-request')).toBe(0);
  });

  test('is its caller\'s own', async () => {
    const by = { ...ROOT, id: 'another' };
    await stage.call('createTenant', { body: { id: 'mine' }, key: 'a-key-of-two-callers' });
    expect(await stage.call('createTenant', { by, body: { id: 'theirs' }, key: 'a-key-of-two-callers' })).toMatchObject({ replayed: false });
  });

  test('is forgotten after a day', async () => {
    const answer = await stage.call('createTenant', { body: { name: 'Daily' }, key: 'a-key-of-yesterday' });
    await stage.sql.query('update router.idempotency set created_at = created_at - interval \'23 hours 59 minutes\'');
    expect(await stage.call('createTenant', { body: { name: 'Daily' }, key: 'a-key-of-yesterday' })).toMatchObject({ body: answer.body, replayed: true });
    await stage.sql.query('update router.idempotency set created_at = created_at - interval \'2 minutes\'');
    expect(await stage.call('createTenant', { body: { name: 'Daily' }, key: 'a-key-of-yesterday' })).toMatchObject({ body: { id: 'daily-2' }, replayed: false });
    await stage.sql.query('update router.idempotency set created_at = created_at - interval \'25 hours\'');
    changes.start();
    await changes.stop();
    expect((await stage.sql.query('select * from router.idempotency')).rows).toEqual([]);
  });

  test('opens its answer, and the table alone does not', async () => {
    const { secret } = await stage.call('createKey', { body: { tenant: 'default', name: 'k' }, key: 'a-key-that-is-not-kept' });
    const kept = (await stage.sql.query<{ answer: Buffer }>('select answer from router.idempotency')).rows.map(({ answer }) => answer.toString('latin1')).join();
    expect(kept).not.toContain(secret);
    expect(kept).not.toContain('object');
    // Whoever can write to the table cannot give one key's answer to another.
    await stage.call('createTenant', { body: { id: 'swapped' }, key: 'another-key-not-kept' });
    await stage.sql.query('update router.idempotency a set answer = b.answer from router.idempotency b where a.id <> b.id');
    await expect(stage.call('createKey', { body: { tenant: 'default', name: 'k' }, key: 'a-key-that-is-not-kept' })).rejects.toThrow('failed on the other side');
  });

  test('that is short is no key', async () => {
    await expect(stage.call('createTenant', { body: { id: 'short' }, key: 'too-short' })).rejects.toMatchObject({ code: 'invalid_value', param: 'idempotency.key' });
  });

  test('holds for credentials too', async () => {
    const change = { idempotency: { key: 'a-key-of-a-credential', fingerprint: 'f' } };
    const made = async (): Promise<RouterRpc['create_credential']['reply']> => {
      const credential = { provider: 'p', name: 'idempotent', sealedValue: await stage.sealed('sk-planted'), tenant: null, baseUrl: null, weight: 1, limits: {} };
      return stage.rpc('create_credential', { credential, change: changeBy(ROOT, change) });
    };
    const first = await made();
    expect(first).toMatchObject({ credential: { name: 'idempotent' }, replayed: false });
    expect(await made()).toEqual({ ...first, replayed: true });
    expect((await stage.rpc('list_credentials', {})).credentials.filter(({ name }) => name === 'idempotent')).toHaveLength(1);
  });

  test('holds for what a gateway does by itself, which is in the audit log before it is done', async () => {
    const change = changeBy(ROOT, { idempotency: { key: 'a-key-of-an-invalidation', fingerprint: 'f' } });
    const entry = { action: 'invalidateCache', resource: 'cache', resourceId: null, tenant: 'default', after: { model: 'm' } };
    expect(await stage.rpc('audit', { ...entry, change, outcome: { entries: 3 } })).toEqual({ outcome: { entries: 3 }, replayed: false });
    expect(await stage.rpc('audit', { ...entry, change, outcome: { entries: 4 } })).toEqual({ outcome: { entries: 3 }, replayed: true });
    const logged = (await stage.call('listAudit', { query: { action: 'invalidateCache' } })).body['data'];
    expect(logged).toMatchObject([{ actor: 'root', resource: 'cache', tenant: 'default', before: null, after: { model: 'm' } }]);
    for (const tenant of ['default', null]) await expect(stage.rpc('audit', { ...entry, tenant, change: changeBy(scoped('another')), outcome: null })).rejects.toMatchObject({ code: tenant === null ? 'permission_denied' : 'not_found' });
    await expect(stage.rpc('audit', { ...entry, change: changeBy({ ...ROOT, role: 'viewer' }), outcome: null })).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(stage.rpc('audit', { ...entry, action: 'deleteTenant', change: changeBy(ROOT), outcome: null })).rejects.toMatchObject({ code: 'invalid_value', param: 'action' });
  });
});
