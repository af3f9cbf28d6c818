import { jest } from '@jest/globals';
import type { AdminAnswer, AdminCall, BudgetAccount, UsageRpc } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { eventually } from '@deja/testing';
import { StreamsClient } from '@deja/transport';
import { Ledger } from '../src/ledger/ledger.ts';
import { settledRows } from '../src/ledger/rows.ts';
import { Cleanup, database, logger, migrateLedger, pathTo, redisServer, replica } from './infrastructure.ts';
import { operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let pool: Pool;
let client: StreamsClient;
let path: Awaited<ReturnType<typeof pathTo>>;
let opsPort: number;

beforeAll(async () => {
  const { url: redisUrl } = await redisServer(cleanup);
  const made = await database(cleanup);
  ({ pool } = made);
  await migrateLedger(pool);
  path = await pathTo(made.url, cleanup);
  ({ opsPort } = await replica(cleanup, { redisUrl, databaseUrl: path.url }));
  client = new StreamsClient({ service: 'usage-worker', redisUrl, logger });
  cleanup.add(async () => client.close());
  await client.connect();
});
afterAll(() => cleanup.run());

const account = (of: Partial<BudgetAccount>): BudgetAccount => ({ key: 'k', tenant: 'default', clientKey: null, user: null, model: null, fromMs: 0, toMs: null, ...of });
const spent = (accounts: unknown) => client.call<UsageRpc['spent']['reply']>('spent', { accounts }, { deadlineMs: 10_000 });
const by = { id: 'root', name: 'root', role: 'owner', tenant: null, from: null, requestId: 'r' } as const;
const admin = (of: Partial<AdminCall & { after: string | null }>) =>
  client.call<AdminAnswer>('admin', { operation: 'listRequests', params: {}, query: {}, body: null, sealTo: null, by, ifMatch: null, idempotency: null, after: null, ...of }, { deadlineMs: 10_000 });

test('what was spent is told in the order asked', async () => {
  await new Ledger(pool).insert({ rows: [settledRows(operationRecord()), settledRows(operationRecord({ user: 'bob' }))], late: [], rejected: [] });
  expect(await spent([account({ user: 'bob' }), account({}), account({ tenant: null }), account({ tenant: 'none' })])).toEqual({ spentNanoUsd: ['420000', '840000', '840000', '0'] });
  expect(await spent([])).toEqual({ spentNanoUsd: [] });
});

test.each([
  ['more than 256 accounts', Array.from({ length: 257 }, () => account({}))],
  ['an account of which there are no sums', [account({ clientKey: 'k', user: 'u' })]],
  ['a key of nobody', [account({ tenant: null, clientKey: 'k' })]],
  ['no list', 'accounts'],
])('%s are refused by name', async (_what, accounts) => {
  await expect(spent(accounts)).rejects.toMatchObject({ code: 'invalid_value', param: expect.stringMatching(/^accounts/) });
});

test('questions of the admin API are answered, and bad ones refused as the client is to be told', async () => {
  const answer = await admin({ query: { limit: '1' } });
  expect(answer).toMatchObject({ body: { object: 'list', data: [{ object: 'request' }], has_more: true }, etag: null, sealedSecret: null, next: null, replayed: false });
  await expect(admin({ query: { limit: 'many' } })).rejects.toMatchObject({ code: 'invalid_value', param: 'limit' });
  await expect(admin({ operation: 'deleteTenant' })).rejects.toMatchObject({ code: 'invalid_value', param: 'operation' });
  await expect(admin({ operation: 'getRequest', params: { id: 'x' } })).rejects.toMatchObject({ code: 'not_found' });
});

test('what caching saved is told, and a question that is none refused by name', async () => {
  const savings = (request: unknown) => client.call<UsageRpc['cache_savings']['reply']>('cache_savings', request, { deadlineMs: 10_000 });
  expect(await savings({ tenant: 'nobody', fromMs: 0, toMs: 1 })).toEqual({ requests: 0, hitsExact: 0, hitsSemantic: 0, savedNanoUsd: '0', savedMs: 0, reasons: [] });
  await expect(savings({ tenant: null, fromMs: -1, toMs: 1 })).rejects.toMatchObject({ code: 'invalid_value', param: 'fromMs' });
  await expect(savings({ fromMs: 0, toMs: 1 })).rejects.toMatchObject({ code: 'invalid_value', param: 'tenant' });
});

test('while Postgres is away they are told so, and answered again when it is back', async () => {
  path.set('cut');
  await expect(spent([account({})])).rejects.toMatchObject({ code: 'overloaded' });
  await expect(admin({})).rejects.toMatchObject({ code: 'overloaded' });
  path.set('open');
  await eventually('an answer', () => spent([account({})]).catch(() => null));
  await eventually('an answer', () => admin({}).catch(() => null));
  await eventually('readiness', async () => (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).status === 200);
});
