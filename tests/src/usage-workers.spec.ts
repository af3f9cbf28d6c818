import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AlertEventObject, JobObject } from '@deja/admin-api';
import { usdText } from '@deja/contracts';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Client } from 'pg';
import { AdminClient, Answers } from './admin-client.ts';
import { billedAnswer, BilledTraffic, type TokenPrice } from './billed-traffic.ts';
import { eventually } from './client.ts';
import { attemptsCost, everyView } from './ledger-views.ts';
import { placesOf, RedisTraffic, secretsIn, type Planted } from './secret-search.ts';
import { newKey } from './tenant-keys.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const PRICE: TokenPrice = { input_usd_per_million: 0.137, cached_input_usd_per_million: 0.0371, output_usd_per_million: 0.5903 };
/** A job looks at 500 requests in a step. */
const [BULK, STEP] = [520, 500];
const LOAD = 240;
/** Rules are evaluated every 10 s, by settings that are asked for every 5 s. */
const TOLD_MS = 40_000;
/** What a killed worker held is another's after that. */
const TAKEN_OVER_MS = 60_000;

const random = (): string => randomBytes(18).toString('hex');
const planted: Planted = { 'secret of the file': random(), 'secret of the API': random(), 'path of the file': `hook-${random()}`, 'path of the API': `hook-${random()}` };
/** Fires in the first evaluation that sees it, and is over in the first that does not. */
const whenFailing = (tenant: string): object => ({ metric: 'error_rate', above: 0.5, window_s: 60, min_requests: 10, for_s: 0, clear_s: 0, tenant });

let provider: FakeProvider;
let receiver: WebhookReceiver;
let cluster: TestCluster;
let admin: AdminClient;
const answers = new Answers();
/** Of the rule of the admin API, and of the silence. */
const hushed = { rule: '', silence: '' };
let shop: BilledTraffic;
let bulk: BilledTraffic;
let busy: BilledTraffic;
let job = '';
let secretsTold: string[];

const configWith = (prices: Record<string, TokenPrice>): object => {
  const notify = [{ webhook: receiver.url(planted['path of the file']!), secret: planted['secret of the file'] }];
  return {
    providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
    models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
    capture: 'none',
    outbound: { allow: ['127.0.0.1'] },
    prices,
    alerts: [
      { name: 'failing', when: whenFailing('shop'), notify },
      { name: 'stranger', when: { metric: 'unknown_price', tenant: 'stranger' }, notify },
      { name: 'newcomer', when: { metric: 'new_model', tenant: 'aged' }, notify },
    ],
  };
};

beforeAll(async () => {
  provider = await fakeProvider();
  provider.otherwise(billedAnswer(provider));
  receiver = await WebhookReceiver.start();
  cluster = await testCluster({ config: configWith({ priced: PRICE }), apps: ['gateway', 'router', 'usage-worker'], scale: { 'usage-worker': 2 } });
  admin = new AdminClient(cluster, answers);
  await makeRule();
  // The longest wait begins first: what a killed worker held, another one may take after half a minute.
  await killTheJobsWorker();
  await somethingIsWrong();
}, 90_000);
afterAll(async () => {
  await cluster?.stop();
  await Promise.all([provider?.close(), receiver?.close()]);
});

/** So many questions at a time, until there were `count`. */
async function inLanes(count: number, question: () => Promise<unknown>, lanes = 20): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (left-- > 0) await question();
  }));
}
const trafficOf = async (tenant: string): Promise<BilledTraffic> => new BilledTraffic(cluster, [await newKey(cluster, tenant)]);

/** Kills the usage-worker that is in the middle of a job, while requests come. */
async function killTheJobsWorker(): Promise<void> {
  [bulk, busy] = [await trafficOf('bulk'), await trafficOf('busy')];
  await inLanes(BULK, () => bulk.miss(null, { model: 'later' }));
  await bulk.recorded();
  await cluster.configure(configWith({ priced: PRICE, later: PRICE }));
  await admin.done('POST', 'config/reload');
  const blocker = new Client({ connectionString: cluster.databaseUrl });
  await blocker.connect();
  await blocker.query('begin');
  await blocker.query('select 1 from usage.operations where id = $1 for update', [bulk.ids.toSorted().at(-1)]);
  const [from, to] = [-1, 1].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
  job = String((await admin.done('POST', 'ledger/reprice', { from, to, tenant: 'bulk' }))['id']);
  await eventually('the first step of the job', async () => ((await jobNow()).result['requests'] === STEP ? true : null));
  const [row] = await cluster.sql<{ runner: string }>('select runner from usage.jobs where id = $1', [job]);
  let sent = 0;
  const load = inLanes(LOAD, async () => {
    await busy.miss(PRICE);
    if (++sent === LOAD / 3) cluster.kill('usage-worker', Number(/\d+$/.exec(row!.runner)?.[0]));
  });
  await load;
  await blocker.query('rollback');
  await blocker.end();
}

/** A rule of the admin API, of which nobody is to be told: who knows the rule knows the silence, which was there before. */
async function makeRule(): Promise<void> {
  const traffic = await RedisTraffic.of(cluster);
  const silence = await admin.done('POST', 'alerts/silences', { labels: { tenant: 'quiet' }, ends_at: new Date(Date.now() + 600_000).toISOString(), comment: 'moving' });
  const notify = [{ webhook: receiver.url(planted['path of the API']!), secret: planted['secret of the API'] }];
  const rule = await admin.done('POST', 'alerts', { name: 'hushed', when: whenFailing('quiet'), notify });
  Object.assign(hushed, { rule: rule['id'], silence: silence['id'] });
  // The test button is there as soon as the rule is.
  expect(await admin.done('POST', `alerts/${hushed.rule}/test`)).toEqual({ object: 'alert_test', deliveries: [{ receiver: { kind: 'webhook', to: expect.stringMatching(/^127\.0\.0\.1:\d+$/), signed: true }, state: 'delivered', attempts: 1, error: null, delivered_at: expect.any(String) }] });
  for (const path of ['alerts', `alerts/${hushed.rule}`, 'alerts/events', 'config', 'audit']) await admin.done('GET', path);
  secretsTold = secretsIn(await placesOf(cluster, { traffic, answers }), planted);
  traffic.stop();
}

async function somethingIsWrong(): Promise<void> {
  shop = await trafficOf('shop');
  const [quiet, stranger, aged] = await Promise.all(['quiet', 'stranger', 'aged'].map(trafficOf));
  for (const traffic of [shop, quiet!]) for (let i = 0; i < 6; i++) await traffic.errors();
  await stranger!.miss(null, { model: 'never-priced' });
  await aged!.miss(PRICE);
  for (const traffic of [shop, quiet!, stranger!, aged!]) await traffic.recorded();
  // A key's first day says nothing of what is new on it.
  await cluster.sql("update usage.series set first_at = first_at - interval '2 days' where tenant = 'aged'");
  await aged!.miss(null, { model: 'second-model' });
  await aged!.recorded();
}

const jobNow = async (): Promise<JobObject> => (await admin.done('GET', `jobs/${job}`)) as unknown as JobObject;
const eventsOf = async (alert: string): Promise<AlertEventObject[]> => ((await admin.done('GET', `alerts/events?alert=${alert}`)).data ?? []) as unknown as AlertEventObject[];

/** The number of the usage-worker whose turn it is to evaluate. */
const evaluator = (): Promise<number> =>
  eventually('somebody who evaluates', async () => {
    for (const n of [1, 2]) {
      const metrics = await fetch(`${cluster.opsUrl('usage-worker', n)}/metrics`).then((reply) => reply.text(), () => '');
      if (/^deja_usage_alerts_evaluator(\{[^}]*\})? 1$/m.test(metrics)) return n;
    }
    return null;
  }, TOLD_MS);

describe('an alert', () => {
  test('is told once when it fires and once when it is over, signed, though who evaluates is killed in between', async () => {
    expect(await receiver.whenTold('failing', 'firing', TOLD_MS)).toMatchObject({ metric: 'error_rate', value: 1, threshold: 0.5, labels: { tenant: 'shop' } });
    await eventually('its delivery noted', async () => (await eventsOf('failing'))[0]?.deliveries[0]?.state === 'delivered');
    cluster.kill('usage-worker', await evaluator());
    await inLanes(24, () => shop.miss(PRICE));
    expect(await receiver.whenTold('failing', 'resolved', TOLD_MS)).toMatchObject({ labels: { tenant: 'shop' } });
    expect(receiver.of('failing').map(({ state }) => state)).toEqual(['firing', 'resolved']);
    expect(new Set(receiver.signedWith(planted['secret of the file']!, 'failing'))).toEqual(new Set([true]));
    const events = await eventually('its last delivery noted', async () => {
      const all = await eventsOf('failing');
      return all.every(({ deliveries }) => deliveries.every(({ state }) => state === 'delivered')) ? all : null;
    });
    expect(events.map(({ state, silenced_by: by, test: isTest }) => [state, by, isTest])).toEqual([['resolved', null, false], ['firing', null, false]]);
  }, 2 * TOLD_MS + 30_000);

  test('tells of a request without a price, and of a model that is new on a key', async () => {
    expect(await receiver.whenTold('stranger', 'firing', TOLD_MS)).toMatchObject({ metric: 'unknown_price', value: 1, labels: { tenant: 'stranger', model: 'never-priced', provider: 'fake' } });
    expect(await receiver.whenTold('newcomer', 'firing', TOLD_MS)).toMatchObject({ metric: 'new_model', labels: { tenant: 'aged', model: 'second-model' } });
  }, TOLD_MS + 10_000);

  test('that is silenced fires and is told to nobody', async () => {
    const [event] = await eventually('it to fire', async () => {
      const fired = (await eventsOf('hushed')).filter(({ test: isTest }) => !isTest);
      return fired.length > 0 ? fired : null;
    }, TOLD_MS);
    expect(event).toMatchObject({ state: 'firing', labels: { tenant: 'quiet' }, silenced_by: hushed.silence, deliveries: [] });
    expect((await admin.done('GET', 'alerts/state')).data).toContainEqual(expect.objectContaining({ alert: 'hushed', state: 'firing', silenced_by: hushed.silence }));
    expect(receiver.of('hushed').map(({ test: isTest }) => isTest)).toEqual([true]);
  }, TOLD_MS + 10_000);
});

test('the test button tells the receivers of a rule, signed; addresses and secrets of rules are in no answer, nor in clear in Postgres, Redis or a log', () => {
  expect(receiver.of('hushed')).toMatchObject([{ test: true, state: 'firing', metric: 'error_rate' }]);
  expect(receiver.signedWith(planted['secret of the API']!, 'hushed')).toEqual([true]);
  expect(secretsTold).toEqual([]);
});

test('a usage-worker that is killed under load loses nothing and counts nothing twice, and another goes on with its job where it was', async () => {
  await busy.recorded(TAKEN_OVER_MS);
  const done = await eventually('the job done', async () => {
    const now = await jobNow();
    return now.state === 'done' ? now : null;
  }, TAKEN_OVER_MS);
  const cost = bulk.cost(PRICE);
  // Begun anew, it would have found the first step's requests priced already.
  expect(done.result).toMatchObject({ requests: BULK, changed: BULK, unknown: 0, before_usd: '0', after_usd: usdText(cost) });
  for (const [tenant, bill] of [['bulk', { ...bulk.bill, cost, unpriced: 0 }], ['busy', busy.bill]] as const) {
    const views = await everyView(cluster, admin, tenant);
    expect(views).toEqual(Object.fromEntries(Object.keys(views).map((view) => [view, bill])));
    expect(await attemptsCost(cluster, tenant)).toBe(bill.cost);
  }
  const [kept] = await cluster.sql('select count(*)::int as rows, count(distinct (operation_id, attempt_id))::int as different from usage.repriced where job = $1', [job]);
  expect(kept).toEqual({ rows: 2 * BULK, different: 2 * BULK });
  expect(await admin.done('GET', 'ledger/reconciliation')).toMatchObject({ missing: 0, surplus: 0, sums_differ: 0 });
}, 2 * TAKEN_OVER_MS + 30_000);
