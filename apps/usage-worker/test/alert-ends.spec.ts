import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { newId, type AlertReceiver, type AlertRule, type AlertSettings, type AlertSilence } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { AlertMetrics } from '../src/alerts/alert-metrics.ts';
import { EvaluatorTurn } from '../src/alerts/evaluator-turn.ts';
import { Evaluator } from '../src/alerts/evaluator.ts';
import type { Notification } from '../src/alerts/notification.ts';
import { DeliveryLoop } from '../src/alerts/notify/delivery-loop.ts';
import type { DeliveryOutcome } from '../src/alerts/notify/delivery-metrics.ts';
import { DeliveryStore } from '../src/alerts/notify/delivery-store.ts';
import { testAlert } from '../src/alerts/test-alert.ts';
import { Cleanup, database, logger, migrateLedger, telemetry } from './infrastructure.ts';

// Evaluator and delivery loop together: what receivers hear of alerts that end, or are silenced, while they are being told of.

jest.setTimeout(60_000);

const [SECOND, MINUTE] = [1000, 60_000];
const cleanup = new Cleanup();
let pool: Pool;
let receivers: AlertReceiver[];
let evaluator: Evaluator;
/** In the order in which they came, whether they were taken or not. */
let heard: string[] = [];
let status = 200;
let nowMs: number;
let rules: AlertRule[];
let silences: AlertSilence[];
/** Tenants whose error rate is too high. */
let failing: string[];
let outcomes: DeliveryOutcome[];

const rule = (of: Partial<AlertRule> = {}): AlertRule => ({ id: 'file:errors', name: 'errors', source: 'file', enabled: true, when: { metric: 'error_rate', above: 0.1, for_s: 0, clear_s: 0, tenant: '*' }, group_by: [], repeat_s: null, ...of });
const settings = {
  look: () => Promise.resolve(),
  settings: (): AlertSettings => ({ version: '1', rules: rules.map((one) => ({ ...one, receivers: '' })), silences, smtp: null, budgets: { tenants: [], keys: [] } }),
  receivers: () => Promise.resolve(receivers),
  open: (sealed: string) => Promise.resolve(sealed),
};

beforeAll(async () => {
  const made = await database(cleanup);
  ({ pool } = made);
  await migrateLedger(pool);
  const hook = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
      const { state, labels, alerts = [{ labels }] } = JSON.parse(Buffer.concat(pieces).toString()) as Notification;
      heard.push(`${state} ${alerts.map((alert) => alert.labels.tenant ?? '-').join('+')}${status === 200 ? '' : ` (${status})`}`);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
  cleanup.add(() => new Promise((resolve) => hook.close(resolve)));
  receivers = [{ kind: 'webhook', url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`, secret: null }];
  evaluator = new Evaluator({
    turn: new EvaluatorTurn(made.url), settings, metrics: new AlertMetrics(telemetry.meter), logger, newId, now: () => nowMs,
    read: (asked) => Promise.resolve(new Map(asked.map(({ id }) => [id, ['a', 'b'].map((tenant) => ({ labels: { tenant }, value: failing.includes(tenant) ? 0.57 : 0, threshold: 0.1 }))]))),
  });
  cleanup.add(() => evaluator.leave());
}, 60_000);
afterAll(() => cleanup.run());

beforeEach(async () => {
  await pool.query('truncate usage.alert_states, usage.alert_events, usage.alert_deliveries');
  [heard, status, nowMs, rules, silences, failing, outcomes] = [[], 200, Date.parse('2026-03-18T12:00:00Z'), [rule()], [], [], []];
});

const loop = (): DeliveryLoop => new DeliveryLoop({ store: new DeliveryStore(pool), settings, allowed: () => [], metrics: { delivered: (outcome) => outcomes.push(outcome) }, logger, now: () => nowMs, random: () => 0.5 });
const deliver = (): Promise<void> => loop().deliver();
async function evaluate(...tenants: string[]): Promise<void> {
  failing = tenants;
  await evaluator.evaluate();
}
const deliveries = async (): Promise<unknown[]> => (await pool.query(`select payload ->> 'state' as alert, state, attempts, last_error from usage.alert_deliveries order by created_at, id`)).rows;
const silence = (of: Partial<AlertSilence> = {}): AlertSilence => ({ id: 'calm', alert: 'errors', labels: {}, startsAtMs: nowMs, endsAtMs: nowMs + 10 * MINUTE, comment: '', ...of });
const OVER = 'it was over before it could be told';

test('who could not be told that it fires is not told so when it is over, but that it is over', async () => {
  status = 500;
  await evaluate('a');
  for (let tries = 0; tries < 5; tries += 1) {
    await deliver();
    nowMs += 5 * MINUTE;
  }
  expect(heard).toEqual(Array.from({ length: 5 }, () => 'firing a (500)'));
  [heard, status] = [[], 200];
  nowMs -= 4 * MINUTE; // the next try is 100 s away
  await evaluate();
  await deliver();
  expect(heard).toEqual(['resolved a']);
  expect(await deliveries()).toEqual([{ alert: 'firing', state: 'failed', attempts: 5, last_error: OVER }, { alert: 'resolved', state: 'delivered', attempts: 1, last_error: null }]);
  expect(outcomes.slice(-2)).toEqual(['failed', 'delivered']);
  nowMs += 60 * MINUTE;
  await deliver();
  expect(heard).toEqual(['resolved a']);
});

test('what was over before anybody tried is dropped too, and what began anew since is told', async () => {
  await evaluate('a');
  nowMs += MINUTE;
  await evaluate();
  nowMs += MINUTE;
  await evaluate('a');
  await deliver();
  await deliver();
  expect([heard.toSorted(), (await deliveries()).map((row) => (row as { last_error: string | null }).last_error)]).toEqual([['firing a', 'resolved a'], [OVER, null, null]]);
});

test('the end of one of several waits until the receiver knows of their beginning', async () => {
  status = 500;
  await evaluate('a', 'b');
  await deliver();
  nowMs += 2 * SECOND;
  await evaluate('b');
  await deliver();
  expect(heard).toEqual(['firing a+b (500)']);
  status = 200;
  nowMs += 8 * SECOND;
  await deliver();
  await deliver();
  expect(heard).toEqual(['firing a+b (500)', 'firing a+b', 'resolved a']);
});

test('the end waits for a beginning that a replica is just telling, however many deliver', async () => {
  await evaluate('a');
  const [taken] = await new DeliveryStore(pool).claim(1, nowMs);
  nowMs += SECOND;
  await evaluate();
  await Promise.all([deliver(), deliver(), deliver()]);
  expect(heard).toEqual([]);
  await new DeliveryStore(pool).delivered(taken!.id, nowMs);
  await Promise.all([deliver(), deliver(), deliver()]);
  expect(heard).toEqual(['resolved a']);
});

test('a replica that died over a beginning does not keep the end back for longer than a minute', async () => {
  await evaluate('a');
  await new DeliveryStore(pool).claim(1, nowMs);
  nowMs += SECOND;
  await evaluate();
  nowMs += MINUTE;
  await deliver();
  expect([heard, (await deliveries())[0]]).toEqual([['resolved a'], { alert: 'firing', state: 'failed', attempts: 1, last_error: OVER }]);
});

test('what is silenced before it could be told is told when the silence is over, and counts no tries meanwhile', async () => {
  status = 500;
  await evaluate('a', 'b');
  await deliver();
  [heard, status, silences] = [[], 200, [silence()]];
  for (let minute = 0; minute < 9; minute += 1) {
    nowMs += MINUTE;
    await deliver();
  }
  expect([heard, await deliveries()]).toEqual([[], [{ alert: 'firing', state: 'waiting', attempts: 1, last_error: 'a silence is in force: it is told when that is over and it fires still' }]]);
  nowMs += MINUTE;
  await deliver();
  expect(heard).toEqual(['firing a+b']);
});

test('what ends in the silence that kept it back is told to nobody, and a silence of some keeps nothing back', async () => {
  silences = [silence({ startsAtMs: nowMs + 1 })];
  await evaluate('a');
  nowMs += SECOND;
  await deliver();
  nowMs += SECOND;
  await evaluate();
  nowMs += MINUTE;
  await deliver();
  nowMs += 60 * MINUTE;
  await deliver();
  expect([heard, await deliveries()]).toEqual([[], [{ alert: 'firing', state: 'failed', attempts: 0, last_error: OVER }]]);
  silences = [silence({ labels: { tenant: 'a' }, startsAtMs: nowMs + 1 })];
  await evaluate('a', 'b');
  nowMs += SECOND;
  await deliver();
  expect(heard).toEqual(['firing a+b']);
});

test('that a model is new is told also to who hears of it when it is no longer new', async () => {
  rules = [rule({ when: { metric: 'new_model' } })];
  await evaluate('a');
  nowMs += MINUTE;
  await evaluate();
  await deliver();
  expect(heard).toEqual(['firing a']);
});

test('a test is tried for a minute, whether anything fires or is silenced', async () => {
  [status, silences] = [500, [silence()]];
  await testAlert({ pool, settings }, 'file:errors', nowMs, 0);
  for (let tries = 0; tries < 8; tries += 1) {
    await deliver();
    nowMs += 10 * SECOND;
  }
  expect([heard, await deliveries()]).toEqual([['firing - (500)', 'firing - (500)', 'firing - (500)'], [{ alert: 'firing', state: 'failed', attempts: 3, last_error: 'it answered with status 500' }]]);
});
