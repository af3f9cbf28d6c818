import { jest } from '@jest/globals';
import { BUDGET_SHARDS_KEY, budgetAccountsKey, budgetKey, type BudgetAccount } from '@deja/contracts';
import type { ManagedRedis } from '@deja/launcher';
import type { Pool } from '@deja/postgres';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually } from '@deja/testing';
import { BudgetAccounts } from '../src/budgets/budget-accounts.ts';
import { BudgetTurn } from '../src/budgets/budget-turn.ts';
import { BudgetReconciler } from '../src/budgets/reconciler.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { settledRows } from '../src/ledger/rows.ts';
import { spentOf } from '../src/ledger/spend.ts';
import { patienceOf } from '../src/usage-worker.ts';
import { Cleanup, database, logger, migrateLedger, redisServer, replica } from './infrastructure.ts';
import { operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const servers = new Cleanup();
const each = new Cleanup();
let server: ManagedRedis;
let databaseUrl: string;
let pool: Pool;
let redis: RedisClient;
let nowMs: number;

beforeAll(async () => {
  server = await redisServer(servers);
  ({ url: databaseUrl, pool } = await database(servers));
  await migrateLedger(pool);
});
afterAll(() => servers.run());

beforeEach(async () => {
  await pool.query('truncate usage.operations, usage.attempts, usage.spend');
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger });
  each.add(async () => redis.disconnect());
  await whenReady(redis, 10_000);
  await redis.flushall();
  nowMs = Date.now();
});
afterEach(() => each.run());

/** A settled operation costs 420,000 nano-USD. */
const COST = 420_000;
const spend = () => new Ledger(pool).insert({ rows: [settledRows(operationRecord())], late: [], rejected: [] });
const accountOf = (of: Partial<BudgetAccount> = {}): BudgetAccount => ({ key: budgetKey('default', 'tenant:all:0-'), tenant: 'default', clientKey: null, user: null, model: null, fromMs: 0, toMs: null, ...of });

/** As gateways do it. */
async function register(account: BudgetAccount, spent: number | null): Promise<BudgetAccount> {
  const shard = account.tenant ?? 'global';
  await redis.sadd(budgetAccountsKey(shard), JSON.stringify(account));
  await redis.sadd(BUDGET_SHARDS_KEY, shard);
  if (spent !== null) await redis.hset(account.key, { spent, held: 70 });
  return account;
}
const spentIn = async ({ key }: BudgetAccount): Promise<number> => Number(await redis.hget(key, 'spent'));

interface Wishes {
  instance?: string;
  unrecordedMs?: () => number | null;
  spent?: (accounts: BudgetAccount[]) => Promise<bigint[]>;
}
function reconciler({ instance = 'one', unrecordedMs = () => 0, spent = (accounts) => spentOf(pool, accounts) }: Wishes = {}) {
  const corrections: bigint[] = [];
  const made = new BudgetReconciler({
    redis, accounts: new BudgetAccounts(redis), turn: new BudgetTurn(redis, { instance, ttlMs: 60_000 }), spent, unrecordedMs: async () => unrecordedMs(),
    metrics: { budgetCorrected: (nanoUsd) => corrections.push(nanoUsd), budgetAccounts: 0 }, logger, patience: patienceOf(60), now: () => nowMs,
  });
  /** Some rounds, half a minute from one to the next. */
  const rounds = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      await made.reconcile();
      nowMs += 30_000;
    }
  };
  return { corrections, rounds, reconcile: () => made.reconcile(), leave: () => made.leave() };
}

test('a budget of which Redis knows less than the ledger is raised at once, and what is held stays', async () => {
  await spend();
  await spend();
  const account = await register(accountOf(), COST);
  const { rounds, corrections } = reconciler();
  await rounds(1);
  expect(await redis.hgetall(account.key)).toEqual({ spent: String(2 * COST), held: '70' });
  expect(corrections).toEqual([BigInt(COST)]);
});

test('an excess that lasts is taken off, once', async () => {
  await spend();
  const account = await register(accountOf(), COST + 500);
  const { rounds, corrections } = reconciler();
  await rounds(4);
  expect(await spentIn(account)).toBe(COST + 500);
  await rounds(8);
  expect(await spentIn(account)).toBe(COST);
  expect(corrections).toEqual([-500n]);
});

test('nothing is taken off while events wait for the ledger, or when Postgres was away in between', async () => {
  const account = await register(accountOf(), 500);
  let waitingMs: number | null = 60_000;
  let isAway = false;
  const { rounds, reconcile } = reconciler({
    unrecordedMs: () => waitingMs,
    spent: async (accounts) => {
      if (isAway) throw new Error('away');
      return await spentOf(pool, accounts);
    },
  });
  await rounds(8);
  waitingMs = null;
  await rounds(4);
  waitingMs = 0;
  await rounds(4);
  isAway = true;
  await expect(reconcile()).rejects.toThrow('away');
  isAway = false;
  await rounds(4);
  expect(await spentIn(account)).toBe(500);
  await rounds(1);
  expect(await spentIn(account)).toBe(0);
});

test('one replica compares at a time, and the next one begins anew when it takes over', async () => {
  const account = await register(accountOf(), 500);
  const [one, two] = [reconciler(), reconciler({ instance: 'two' })];
  await one.rounds(4);
  await two.rounds(6);
  expect(await spentIn(account)).toBe(500);
  await one.leave();
  await two.rounds(4);
  expect(two.corrections).toEqual([]);
  await one.rounds(6);
  expect(one.corrections).toEqual([]);
  await two.rounds(1);
  expect(two.corrections).toEqual([-500n]);
});

test('an account that Redis does not know is left to those who need it', async () => {
  await spend();
  const [account, broken] = [await register(accountOf(), null), await register(accountOf({ key: budgetKey('default', 'broken') }), null)];
  await redis.set(broken.key, 'no account');
  await reconciler().rounds(2);
  expect(await redis.exists(account.key)).toBe(0);
  expect(await redis.get(broken.key)).toBe('no account');
});

test('accounts are dropped a day after their period, with what is no account, and then their shard', async () => {
  const dayMs = 86_400_000;
  const period = (endedMs: number) => ({ fromMs: endedMs - dayMs, toMs: endedMs });
  const over = await register(accountOf({ ...period(nowMs - dayMs - 1), tenant: 'old', key: budgetKey('old', 'over') }), 1);
  const ending = await register(accountOf({ ...period(nowMs - dayMs + 60_000), key: budgetKey('default', 'ending') }), 1);
  await redis.sadd(budgetAccountsKey('default'), 'nonsense', '{"key":"x","tenant":null,"clientKey":"of nobody"}');
  const { rounds } = reconciler();
  await rounds(1);
  expect(await redis.exists(over.key)).toBe(0);
  expect(await redis.exists(ending.key)).toBe(1);
  expect(await redis.smembers(BUDGET_SHARDS_KEY)).toEqual(['default']);
  expect(await redis.smembers(budgetAccountsKey('default'))).toEqual([JSON.stringify(ending)]);
});

test('an account that is registered in two ways is corrected once', async () => {
  await spend();
  const account = await register(accountOf(), 0);
  await redis.sadd(budgetAccountsKey('default'), JSON.stringify({ ...account, addedLater: true }));
  await reconciler().rounds(1);
  expect(await spentIn(account)).toBe(COST);
});

test('thousands of accounts are compared, each with its own sum', async () => {
  await spend();
  const accounts = Array.from({ length: 1500 }, (_, i) => accountOf({ key: budgetKey('default', `user:${i}`), user: i === 700 ? 'ann' : `u${i}` }));
  await redis.sadd(BUDGET_SHARDS_KEY, 'default');
  await Promise.all(accounts.flatMap((account) => [redis.sadd(budgetAccountsKey('default'), JSON.stringify(account)), redis.hset(account.key, 'spent', 0)]));
  const { rounds, corrections } = reconciler();
  await rounds(1);
  expect(await spentIn(accounts[700]!)).toBe(COST);
  expect(corrections).toEqual([BigInt(COST)]);
});

test('a worker compares when it starts, when Redis comes back, and says in metrics what it found', async () => {
  await spend();
  const account = await register(accountOf(), 0);
  const { opsPort } = await replica(each, { redisUrl: server.url, databaseUrl });
  await eventually('the budget is raised', async () => (await spentIn(account)) === COST);
  const killed = server.pid!;
  process.kill(killed, 'SIGKILL');
  await eventually('Redis is another process', () => server.pid !== null && server.pid !== killed);
  await eventually('Redis answers', () => redis.flushall().catch(() => null));
  await register(account, 0);
  await redis.call('client', ['kill', 'type', 'normal', 'skipme', 'yes']);
  await eventually('the budget is raised again', async () => (await spentIn(account).catch(() => 0)) === COST);
  const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  expect(metrics).toMatch(/deja_usage_budget_corrections_total\{[^}]*direction="raised"[^}]*\} [1-9]/);
  expect(metrics).toMatch(/deja_usage_budget_drift\S*direction="raised"/);
});
