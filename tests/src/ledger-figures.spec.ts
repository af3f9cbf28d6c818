import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JobObject } from '@deja/admin-api';
import { USAGE_QUEUE, USAGE_QUEUE_PREFIX, usdText } from '@deja/contracts';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { AdminClient } from './admin-client.ts';
import { billedAnswer, BilledTraffic, costOf, type TokenPrice } from './billed-traffic.ts';
import { eventually, post } from './client.ts';
import { attemptsCost, everyView, invoiceLines, requestsOf } from './ledger-views.ts';
import { newKey } from './tenant-keys.ts';

const FIRST: TokenPrice = { input_usd_per_million: 0.137, cached_input_usd_per_million: 0.0371, output_usd_per_million: 0.5903 };
const SECOND: TokenPrice = { input_usd_per_million: 1.0019, cached_input_usd_per_million: 0.2503, output_usd_per_million: 7.0001 };

let provider: FakeProvider;
let cluster: TestCluster;
let admin: AdminClient;

const configWith = (prices: Record<string, TokenPrice>): object => ({
  providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }] } },
  models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
  retries: { backoff_ms: [1, 10] },
  capture: 'none',
  prices,
});

beforeAll(async () => {
  provider = await fakeProvider();
  provider.otherwise(billedAnswer(provider));
  cluster = await testCluster({ config: configWith({ priced: FIRST }), apps: ['gateway', 'router', 'usage-worker'] });
  admin = new AdminClient(cluster);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** Puts other prices into force, as an operator does. */
async function setPrices(prices: Record<string, TokenPrice>): Promise<void> {
  await cluster.configure(configWith(prices));
  await admin.done('POST', 'config/reload');
}

/** Resolves when the gateway quotes this price: a question of another tenant has it. */
async function quoted(model: string, price: TokenPrice): Promise<void> {
  const probe = new BilledTraffic(cluster, [cluster.key]);
  await eventually(`the price of ${model} at the gateway`, () => probe.miss(price, { model }).catch(() => null));
}

async function jobDone(id: unknown): Promise<JobObject> {
  return await eventually(`job ${String(id)} done`, async () => {
    const job = (await admin.done('GET', `jobs/${String(id)}`)) as unknown as JobObject;
    return ['done', 'failed'].includes(job.state) ? job : null;
  });
}

/** Costs and savings before and after, in the order in which the requests came. */
async function repricedBy(job: unknown, which: string): Promise<(string | null)[][]> {
  const rows = await cluster.sql<Record<string, string | null>>(`select old_cost_nano_usd, new_cost_nano_usd, old_saved_nano_usd, new_saved_nano_usd from usage.repriced where job = $1 and ${which} order by operation_id`, [job]);
  return rows.map((row) => Object.values(row));
}

describe('what a tenant used', () => {
  test('is the same to the nano-dollar in rows, sums by whatever they are grouped, invoices and exports, over hits, streams, failures, a client that left and a price that changed in between', async () => {
    const traffic = new BilledTraffic(cluster, [await newKey(cluster, 'acme', { name: 'one' }), await newKey(cluster, 'acme', { name: 'two' })]);
    await traffic.everyKind(FIRST);
    await setPrices({ priced: SECOND });
    await quoted('priced', SECOND);
    await traffic.everyKind(SECOND);
    await traffic.recorded();
    const views = await everyView(cluster, admin, 'acme');
    expect(views).toEqual(Object.fromEntries(Object.keys(views).map((view) => [view, traffic.bill])));
    expect(await attemptsCost(cluster, 'acme')).toBe(traffic.bill.cost);
    const versions = new Set((await invoiceLines(admin, 'acme')).filter(({ model, cost_usd: cost }) => model === 'priced' && cost !== '0').map(({ price_version: version }) => version));
    expect([...versions]).toEqual([expect.stringContaining('override:priced-'), expect.stringContaining('override:priced-')]);
    expect(await admin.done('GET', 'ledger/reconciliation')).toMatchObject({ missing: 0, surplus: 0, sums_differ: 0 });
  });
});

describe('a price that becomes known later', () => {
  const lately = { from: new Date(Date.now() - 3_600_000).toISOString(), to: new Date(Date.now() + 3_600_000).toISOString() };

  test('prices what was recorded without it, everywhere and once: old figures are kept, other tenants are let be, and the audit log has who did it', async () => {
    const traffic = new BilledTraffic(cluster, [await newKey(cluster, 'patient')]);
    const others = new BilledTraffic(cluster, [await newKey(cluster, 'indifferent')]);
    const asked: number[] = [];
    for (const stream of [false, true, false]) {
      const { n } = await traffic.miss(null, { model: 'later', stream });
      asked.push(n);
      await traffic.hit(n, null, { model: 'later', stream });
    }
    await others.miss(null, { model: 'later' });
    await Promise.all([traffic.recorded(), others.recorded()]);
    expect(await everyView(cluster, admin, 'patient')).toMatchObject({ 'rows in Postgres': { cost: 0n, unpriced: 3 }, 'totals of invoices': { cost: 0n, unpriced: 3 } });

    await setPrices({ priced: SECOND, later: FIRST });
    // At once: what is in force is in force for the ledger too.
    const { id: trialId } = await admin.done('POST', 'ledger/reprice', { ...lately, tenant: 'patient', dry_run: true });
    const trial = await jobDone(trialId);
    const cost = traffic.cost(FIRST);
    const result = { requests: 6, changed: 6, unknown: 0, before_usd: '0', after_usd: usdText(cost), saved_before_usd: '0', saved_after_usd: usdText(cost) };
    expect(trial).toMatchObject({ kind: 'reprice', state: 'done', created_by: 'root', result });
    expect(await everyView(cluster, admin, 'patient')).toMatchObject({ 'rows in Postgres': { cost: 0n, unpriced: 3 } });

    const { id } = await admin.done('POST', 'ledger/reprice', { ...lately, tenant: 'patient' });
    expect(await jobDone(id)).toMatchObject({ state: 'done', result });
    const views = await everyView(cluster, admin, 'patient');
    expect(views).toEqual(Object.fromEntries(Object.keys(views).map((view) => [view, { ...traffic.bill, cost, saved: cost, unpriced: 0 }])));
    expect(await attemptsCost(cluster, 'patient')).toBe(cost);
    // A miss is its own row and its call's; a hit has no call.
    const ofCalls = await repricedBy(id, 'attempt_id is not null');
    expect(ofCalls).toEqual(asked.map((n) => [null, String(costOf(n, FIRST)), null, null]));
    const ofRequests = asked.flatMap((n) => [[null, String(costOf(n, FIRST)), '0', '0'], ['0', '0', null, String(costOf(n, FIRST))]]);
    expect(await repricedBy(id, 'attempt_id is null')).toEqual(ofRequests);

    const { id: againId } = await admin.done('POST', 'ledger/reprice', { ...lately, tenant: 'patient' });
    const again = await jobDone(againId);
    expect(again).toMatchObject({ state: 'done', result: { requests: 6, changed: 0, before_usd: usdText(cost), after_usd: usdText(cost) } });
    expect(await everyView(cluster, admin, 'patient')).toEqual(views);
    expect((await everyView(cluster, admin, 'indifferent'))['totals of invoices']).toMatchObject({ cost: 0n, unpriced: 1 });
    const { data: audit } = (await admin.done('GET', 'audit?action=repriceLedger')) as unknown as { data: { actor: string; after: object }[] };
    expect(audit.map(({ actor, after }) => [actor, after])).toEqual([{ job: againId }, { job: id }, { job: trialId, dry_run: true }].map((done) => ['root', { ...lately, tenant: 'patient', ...done }]));
  });
});

describe('an event that nobody can read', () => {
  test('is set aside with the reason while the others of its batch go on, and stays, with its reason, when it is tried again', async () => {
    const redis = new Redis(cluster.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue(USAGE_QUEUE, { connection: redis, prefix: USAGE_QUEUE_PREFIX });
    await queue.add('events', { v: 1, events: [{ kind: 'settled', poison: 'of this test' }] });
    await queue.close();
    redis.disconnect();
    const listed = async (): Promise<{ id: string; reason: string; event: string }[]> => ((await admin.done('GET', 'ledger/rejected')).data ?? []) as unknown as { id: string; reason: string; event: string }[];
    const [set] = await eventually('the event to be set aside', async () => ((await listed()).length === 1 ? listed() : null));
    expect(set).toMatchObject({ object: 'rejected_event', event: expect.stringContaining('of this test'), reason: expect.stringMatching(/\w/) });
    const job = await jobDone((await admin.done('POST', 'ledger/rejected/replay', { ids: [set!.id] }))['id']);
    expect(job).toMatchObject({ kind: 'replay_rejected', state: 'done', result: { events_set_aside: 1, recorded: 0, still_rejected: 1 } });
    expect(await listed()).toEqual([set]);
    // And whoever comes behind it is recorded as ever.
    const reply = await post(cluster, { model: 'priced', messages: [{ role: 'user', content: 'Answer question 7 once more, please.' }] });
    await eventually('the next one recorded', async () => (await requestsOf(admin, 'default')).some(({ id }) => id === reply.headers.get('x-request-id')));
  });
});
