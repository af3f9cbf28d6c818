import { zstdDecompressSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, type AdminOperation } from '@deja/admin-api';
import { DejaError, type RouterRpc, type UsageRpc } from '@deja/contracts';
import { RpcTimeout } from '@deja/transport';
import { parquetReadObjects } from 'hyparquet';
import { ADMIN_KEY, adminAnswer, scriptedAdmin, tokenOf, withToken, type ScriptedAdmin, type ScriptedAdminOptions } from '../../test/scripted-admin.ts';
import { AppCalls } from './app-calls.ts';
import { Forwarded } from './forwarded.ts';
import { ValueSealer } from './value-sealer.ts';

const EXPORT: AdminOperation = ADMIN_OPERATIONS.find(({ id }) => id === 'exportUsage')!;
const authorization = `Bearer ${ADMIN_KEY}`;

const open: ScriptedAdmin[] = [];
const started = async (options: ScriptedAdminOptions): Promise<ScriptedAdmin> => {
  const admin = await scriptedAdmin(options);
  open.push(admin);
  return admin;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((admin) => admin.close()));
});

/** Pages by cursor: the first one is that of `null`. */
const paged = (...pages: string[][]): Pick<ScriptedAdminOptions, 'usage'> => ({
  usage: { admin: ({ after }) => adminAnswer({ body: pages[Number(after ?? 0)], next: Number(after ?? 0) + 1 < pages.length ? String(Number(after ?? 0) + 1) : null }) },
});

test.each([['', 'application/jsonl; charset=utf-8', {}], ['?format=csv&tenant=acme', 'text/csv; charset=utf-8', { format: 'csv', tenant: 'acme' }]])('an export%s is all pages, a row a line', async (query, type, sent) => {
  const admin = await started(paged(['a', 'b'], [], ['ä']));
  const reply = await admin.send({ method: 'GET', url: `/admin/v1/usage/export${query}` });
  expect([reply.statusCode, reply.headers['content-type'], reply.headers['cache-control'], reply.body]).toEqual([200, type, 'no-store', 'a\nb\nä\n']);
  expect(admin.calls.map(({ request }) => request)).toMatchObject([null, '1', '2'].map((after) => ({ operation: 'exportUsage', query: sent, after, sealTo: null })));
});

test('an export of nothing is empty', async () => {
  const admin = await started(paged([]));
  expect((await admin.send({ method: 'GET', url: '/admin/v1/usage/export' })).body).toBe('');
});

test('an export as Parquet is one file of all pages, made here of the lines that the ledger gives', async () => {
  const line = (tenant: string): string => JSON.stringify({ id: tenant, tenant, tags: {}, safety_flags: [], usage: null, cost_usd: '0.000000001', saved_usd: null, received_at: '2026-03-31T12:00:00.000Z', attempts: [] });
  const admin = await started(paged([line('acme'), line('other')], [], [line('third')]));
  const response = await fetch(`${await admin.listen()}/usage/export?format=parquet`, { headers: { authorization } });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/vnd.apache.parquet']);
  const rows = await parquetReadObjects({ file: await response.arrayBuffer(), compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) } });
  expect(rows.map((row) => [row['tenant'], row['cost_nano_usd'], row['saved_usd']])).toEqual([['acme', 1n, null], ['other', 1n, null], ['third', 1n, null]]);
  expect(admin.calls.map(({ request }) => request)).toMatchObject([null, '1', '2'].map((after) => ({ operation: 'exportUsage', query: { format: 'parquet' }, after })));
});

test('a Parquet file that breaks off never looks complete', async () => {
  const admin = await started({ usage: { admin: ({ after }) => (after === null ? adminAnswer({ body: [], next: '1' }) : Promise.reject(new RpcTimeout('admin', 1))) } });
  const response = await fetch(`${await admin.listen()}/usage/export?format=parquet`, { headers: { authorization } });
  expect(response.status).toBe(200);
  await expect(response.arrayBuffer()).rejects.toThrow('terminated');
});

test('the export of one tenant\'s token is that tenant\'s', async () => {
  const admin = await started({ ...paged(['a']), script: tokenOf({ role: 'viewer', tenant: 'acme' }) });
  await admin.send({ method: 'GET', url: '/admin/v1/usage/export', headers: withToken });
  expect(admin.calls).toMatchObject([{ request: { query: { tenant: 'acme' }, by: { tenant: 'acme' } } }]);
});

test('an export that cannot begin is an error like any other', async () => {
  const errors = [new DejaError('invalid_value', 'Too long a time.', { param: 'from' }), new RpcTimeout('admin', 1)];
  const admin = await started({ usage: { admin: () => Promise.reject(errors.shift()) } });
  const replies = [await admin.send({ method: 'GET', url: '/admin/v1/usage/export' }), await admin.send({ method: 'GET', url: '/admin/v1/usage/export' })];
  expect(replies.map((reply) => [reply.statusCode, reply.json()])).toMatchObject([[400, { error: { param: 'from' } }], [503, { error: { code: 'overloaded' } }]]);
});

test('an export that breaks off never looks complete', async () => {
  const admin = await started({ usage: { admin: ({ after }) => (after === null ? adminAnswer({ body: ['a'], next: '1' }) : Promise.reject(new RpcTimeout('admin', 1))) } });
  const response = await fetch(`${await admin.listen()}/usage/export`, { headers: { authorization } });
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow('terminated');
  expect(admin.lines.join('\n')).toContain('broke off');
});

test('nothing more is asked of the ledger for a client that has left', async () => {
  const aborted = Promise.withResolvers<void>();
  const admin = await started({
    usage: {
      admin: ({ after }, signal) => {
        if (after === null) return adminAnswer({ body: ['a'], next: '1' });
        return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => {
          reject(new Error('given up'));
          aborted.resolve();
        }));
      },
    },
  });
  const leaving = new AbortController();
  const response = await fetch(`${await admin.listen()}/usage/export`, { headers: { authorization }, signal: leaving.signal });
  await response.body!.getReader().read();
  leaving.abort();
  await aborted.promise;
  expect(admin.calls.length).toBe(2);
  expect(admin.lines).toEqual([]);
});

test('a portion is asked for when the one before was taken: a slow reader holds no more of it in memory', async () => {
  const asked: (string | null)[] = [];
  const usage = new AppCalls<UsageRpc>((_pattern, request) => {
    const { after } = request as UsageRpc['admin']['request'];
    asked.push(after);
    return Promise.resolve(adminAnswer({ body: [`row ${after}`], next: String(asked.length) }) as never);
  }, 'usage-worker');
  const forwarded = new Forwarded(new AppCalls<RouterRpc>(() => Promise.reject(new Error('no router is asked')), 'router'), usage, new ValueSealer(() => Promise.reject(new Error('nothing is sealed'))));
  const by = { id: 'root', name: 'root', role: 'owner', tenant: null, from: null, requestId: 'r' } as const;
  const portions = await forwarded.portions(EXPORT, { params: {}, query: {}, body: null, sent: { query: {}, body: null }, change: { by, ifMatch: null, idempotency: null } }, new AbortController().signal);
  expect(asked).toEqual([null]);
  expect([await portions.next(), asked.length]).toEqual([{ value: 'row null\n', done: false }, 1]);
  expect([await portions.next(), asked.length]).toEqual([{ value: 'row 1\n', done: false }, 2]);
  await portions.return(undefined);
  expect(asked.length).toBe(2);
});
