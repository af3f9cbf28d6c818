import { jest } from '@jest/globals';
import { DejaError, newId, type AlertReceiver, type AlertRule, type AlertSettings, type AlertSilence } from '@deja/contracts';
import { inTransaction, type Pool, type PoolClient } from '@deja/postgres';
import { eventually } from '@deja/testing';
import { AlertMetrics } from '../src/alerts/alert-metrics.ts';
import { EvaluatorTurn } from '../src/alerts/evaluator-turn.ts';
import { Evaluator } from '../src/alerts/evaluator.ts';
import { listAlertEvents, listAlertStates } from '../src/alerts/list-alerts.ts';
import type { Reading } from '../src/alerts/readings/reading.ts';
import { testAlert } from '../src/alerts/test-alert.ts';
import { Cleanup, database, logger, migrateLedger, telemetry } from './infrastructure.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const MINUTE = 60_000;
const servers = new Cleanup();
const each = new Cleanup();
let databaseUrl: string;
let pool: Pool;
let nowMs: number;
let rules: AlertRule[];
let silences: AlertSilence[];
let readings: Record<string, Reading[] | null>;
let receivers: AlertReceiver[];

beforeAll(async () => {
  ({ url: databaseUrl, pool } = await database(servers));
  await migrateLedger(pool);
});
afterAll(() => servers.run());

const rule = (of: Partial<AlertRule> = {}): AlertRule => ({
  id: 'file:slow', name: 'slow', source: 'file', enabled: true, when: { metric: 'latency_ms', above: 100, for_s: 60, clear_s: 60, tenant: '*' }, group_by: [], repeat_s: null, ...of,
});
const reading = (tenant: string, value: number | null): Reading => ({ labels: { tenant }, value, threshold: 100 });

beforeEach(async () => {
  await pool.query('truncate usage.alert_states, usage.alert_events, usage.alert_deliveries');
  nowMs = Date.parse('2026-03-18T12:00:00Z');
  [rules, silences, readings] = [[rule()], [], {}];
  receivers = [{ kind: 'webhook', url: 'https://hooks.example.com/deja', secret: 's' }, { kind: 'email', to: ['ops@example.com'] }];
});
afterEach(() => each.run());

const watch = {
  look: async () => undefined,
  settings: (): AlertSettings | null => ({ version: '1', rules: rules.map((one) => ({ ...one, receivers: '' })), silences, smtp: null, budgets: { tenants: [], keys: [] } }),
  receivers: async (id: string) => (rules.some((one) => one.id === id) ? receivers : []),
};

function evaluator() {
  const turn = new EvaluatorTurn(databaseUrl);
  const made = new Evaluator({
    turn, settings: watch, metrics: new AlertMetrics(telemetry.meter), logger, newId, now: () => nowMs,
    read: async (asked) => new Map(asked.map(({ id }) => [id, readings[id] ?? null])),
  });
  each.add(() => made.leave());
  return { turn, evaluate: () => made.evaluate(), leave: () => made.leave() };
}
/** Evaluates each minute, with what is read in it. */
async function minutes({ evaluate }: Pick<ReturnType<typeof evaluator>, 'evaluate'>, ...read: (Reading[] | null)[]): Promise<void> {
  for (const one of read) {
    readings = { 'file:slow': one };
    await evaluate();
    nowMs += MINUTE;
  }
}
const asked = <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => inTransaction(pool, work);
const events = async (scope: string | null = null) => (await asked((client) => listAlertEvents(client, { scope, nowMs }, { limit: 100 }))).data;
const states = async (scope: string | null = null) => (await asked((client) => listAlertStates(client, { scope }, { limit: 100 }))).data;
/** What was told, the oldest first. */
const told = async () => (await events()).toReversed().map(({ state, labels, silenced_by: by }) => `${labels['tenant']} ${state}${by === null ? '' : ` (${by})`}`);
const high = [reading('a', 900)];
const low = [reading('a', 10)];

describe('an evaluation', () => {
  test('fires, lists, tells each receiver once, and resolves', async () => {
    const one = evaluator();
    await minutes(one, high);
    expect(await states()).toMatchObject([{ rule: 'file:slow', alert: 'slow', state: 'pending', metric: 'latency_ms', value: 900, threshold: 100, labels: { tenant: 'a' }, firing_since: null, seen_at: '2026-03-18T12:00:00.000Z' }]);
    await minutes(one, high);
    expect(await states()).toMatchObject([{ state: 'firing', since: '2026-03-18T12:00:00.000Z', firing_since: '2026-03-18T12:01:00.000Z' }]);
    await minutes(one, high, low, low);
    expect(await states()).toEqual([]);
    const all = await events();
    expect(all).toMatchObject([
      { state: 'resolved', value: 10, started_at: '2026-03-18T12:01:00.000Z', resolved_at: '2026-03-18T12:04:00.000Z' },
      { state: 'firing', alert: 'slow', value: 900, resolved_at: null, test: false, deliveries: [{ receiver: { kind: 'webhook', to: 'hooks.example.com', signed: true }, state: 'waiting', attempts: 0 }, { receiver: { kind: 'email', to: 'ops@example.com' } }] },
    ]);
    const { rows } = await pool.query('select payload, next_at from usage.alert_deliveries where notification = $1 limit 1', [all[1]!.id]);
    expect(rows).toMatchObject([{ payload: { id: all[1]!.id, alert: 'slow', state: 'firing', metric: 'latency_ms', value: 900, threshold: 100, labels: { tenant: 'a' }, started_at: '2026-03-18T12:01:00.000Z', resolved_at: null } }]);
  });

  test('of what cannot be read changes nothing, and the other rules go on', async () => {
    const one = evaluator();
    rules = [rule(), rule({ id: 'file:lag', name: 'lag', when: { metric: 'queue_lag_s', for_s: 0 } })];
    readings = { 'file:slow': high, 'file:lag': [] };
    await one.evaluate();
    nowMs += MINUTE;
    readings = { 'file:slow': null, 'file:lag': [{ labels: {}, value: 99, threshold: 60 }] };
    await one.evaluate();
    expect((await states()).map(({ alert, state }) => [alert, state])).toEqual([['lag', 'firing'], ['slow', 'pending']]);
  });

  test('of a rule that was removed, disabled or changed ends what it had', async () => {
    const one = evaluator();
    await minutes(one, high, high);
    rules = [rule({ enabled: false })];
    await minutes(one, high);
    expect([await told(), await states()]).toEqual([['a firing', 'a resolved'], []]);
    expect((await events())[0]).toMatchObject({ value: null, deliveries: [{ state: 'waiting' }, { state: 'waiting' }] });
    rules = [rule()];
    await minutes(one, high, high);
    rules = [];
    await minutes(one, high);
    expect(await told()).toEqual(['a firing', 'a resolved', 'a firing', 'a resolved']);
    expect((await events())[0]).toMatchObject({ state: 'resolved', deliveries: [] });
  });

  test('in a silence writes down what it does not tell, and tells what fires still when the silence is over', async () => {
    const one = evaluator();
    silences = [{ id: 'calm', alert: 'slow', labels: { tenant: 'a' }, startsAtMs: nowMs, endsAtMs: nowMs + 4 * MINUTE, comment: '' }];
    await minutes(one, high, high, high);
    expect(await told()).toEqual(['a firing (calm)']);
    expect((await events())[0]?.deliveries).toEqual([]);
    expect(await states()).toMatchObject([{ state: 'firing', silenced_by: 'calm' }]);
    await minutes(one, high, high);
    expect(await told()).toEqual(['a firing (calm)', 'a firing']);
    expect(await states()).toMatchObject([{ silenced_by: null }]);
  });

  test('takes any label a client may have made', async () => {
    const one = evaluator();
    const user = `u\0\ud800${'x'.repeat(4000)}`;
    await minutes(one, [{ labels: { user }, value: 900, threshold: 100 }], [{ labels: { user }, value: 900, threshold: 100 }], []);
    expect(await states()).toMatchObject([{ state: 'firing', labels: { user: `u\u{fffd}\u{fffd}${'x'.repeat(4000)}` } }]);
  });

  test('a rule with more alerts than it may have keeps to that, and says so', async () => {
    const one = evaluator();
    rules = [rule({ when: { ...rule().when, for_s: 0 } })];
    await minutes(one, Array.from({ length: 1200 }, (_, i) => reading(`t${i}`, 900)));
    const { rows } = await pool.query(`select (select count(*) from usage.alert_states)::int as states, (select count(*) from usage.alert_deliveries)::int as deliveries, (select payload ->> 'cut' from usage.alert_deliveries limit 1) as cut`);
    expect(rows).toEqual([{ states: 1000, deliveries: 2, cut: '200' }]);
  });
});

describe('among replicas', () => {
  test('one evaluates, and another takes over from one that stopped, without telling anything twice', async () => {
    const [one, two] = [evaluator(), evaluator()];
    for (const read of [high, high, high]) {
      await minutes({ evaluate: () => Promise.all([one.evaluate(), two.evaluate()]).then(() => undefined) }, read);
    }
    expect([one.turn.isTaken, two.turn.isTaken].filter(Boolean)).toHaveLength(1);
    expect(await told()).toEqual(['a firing']);
    const [first, second] = one.turn.isTaken ? [one, two] : [two, one];
    await first.leave();
    await minutes(second, high, low, low);
    expect(second.turn.isTaken).toBe(true);
    expect(await told()).toEqual(['a firing', 'a resolved']);
  });

  test('one whose session was cut has lost its turn and writes nothing, and the other goes on', async () => {
    const [one, two] = [evaluator(), evaluator()];
    await minutes(one, high);
    await two.evaluate();
    expect([one.turn.isTaken, two.turn.isTaken]).toEqual([true, false]);
    await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'deja-usage-alerts' and pid in (select pid from pg_locks where locktype = 'advisory')`);
    await eventually('the session is gone', () => !one.turn.isTaken);
    await minutes(two, high, high);
    expect(two.turn.isTaken).toBe(true);
    await minutes(one, high);
    expect(one.turn.isTaken).toBe(false);
    expect(await told()).toEqual(['a firing']);
  });

  test('a restart at any moment tells nothing twice: what is stored goes on where it was', async () => {
    const pattern = [high, high, low, high, null, high, low, [reading('a', null)], low, low, high, high, high, low, low];
    const without = evaluator();
    await minutes(without, ...pattern);
    await without.leave();
    const expected = (await events()).map(({ state, value, at }) => [state, value, at]);
    expect(expected.length).toBeGreaterThan(2);

    await pool.query('truncate usage.alert_states, usage.alert_events, usage.alert_deliveries');
    nowMs = Date.parse('2026-03-18T12:00:00Z');
    for (const read of pattern) {
      const one = evaluator();
      readings = { 'file:slow': read };
      await one.evaluate();
      await one.evaluate();
      await one.leave();
      nowMs += MINUTE;
    }
    expect((await events()).map(({ state, value, at }) => [state, value, at])).toEqual(expected);
  });

  test('nothing is decided while nobody knows which rules there are', async () => {
    const one = evaluator();
    await minutes(one, high, high);
    const blind = new Evaluator({ turn: { take: () => one.turn.take(), leave: async () => undefined, isTaken: true }, settings: { settings: () => null, receivers: async () => [] }, metrics: new AlertMetrics(telemetry.meter), logger, newId, read: async () => new Map(), now: () => nowMs });
    await blind.evaluate();
    expect([await told(), (await states()).length]).toEqual([['a firing'], 1]);
  });
});

describe('lists', () => {
  test('have pages, the latest first, and show a caller of one tenant what is about that tenant', async () => {
    const one = evaluator();
    rules = [rule({ when: { ...rule().when, for_s: 0 } })];
    await minutes(one, [reading('a', 900)], [reading('a', 900), reading('b', 901)], [reading('a', 900), reading('b', 901), reading('c', 902)]);
    expect((await events('b')).map(({ labels }) => labels['tenant'])).toEqual(['b']);
    expect((await states('a')).map(({ labels }) => labels['tenant'])).toEqual(['a']);
    const page = await asked((client) => listAlertEvents(client, { scope: null, nowMs }, { limit: 2, alert: 'slow' }));
    expect([page.data.map(({ labels }) => labels['tenant']), page.has_more]).toEqual([['c', 'b'], true]);
    const rest = await asked((client) => listAlertEvents(client, { scope: null, nowMs }, { limit: 2, cursor: page.next_cursor! }));
    expect([rest.data.map(({ labels }) => labels['tenant']), rest.next_cursor]).toEqual([['a'], null]);
    expect((await asked((client) => listAlertEvents(client, { scope: null, nowMs }, { limit: 2, alert: 'other' }))).data).toEqual([]);
    const first = await asked((client) => listAlertStates(client, { scope: null }, { limit: 1 }));
    const second = await asked((client) => listAlertStates(client, { scope: null }, { limit: 5, cursor: first.next_cursor! }));
    expect([...first.data, ...second.data].map(({ labels }) => labels['tenant'])).toEqual(['c', 'b', 'a']);
  });
});

describe('a test', () => {
  test('is an event marked as one, with a delivery to each receiver, and changes no alert', async () => {
    const reply = await testAlert({ pool, settings: watch }, 'file:slow', nowMs, 0);
    expect(reply).toMatchObject({ object: 'alert_test', deliveries: [{ receiver: { kind: 'webhook' }, state: 'waiting' }, { receiver: { kind: 'email' } }] });
    expect(await events()).toMatchObject([{ test: true, state: 'firing', alert: 'slow', labels: {}, value: null }]);
    expect((await pool.query(`select payload ->> 'test' as test from usage.alert_deliveries`)).rows).toEqual([{ test: 'true' }, { test: 'true' }]);
    expect(await states()).toEqual([]);
  });

  test('says what became of it when it was tried', async () => {
    const asking = testAlert({ pool, settings: watch }, 'file:slow', nowMs);
    await eventually('there are deliveries', async () => (await pool.query('select from usage.alert_deliveries')).rows.length === 2);
    await pool.query(`update usage.alert_deliveries set state = 'delivered', attempts = 1, delivered_at = now(), next_at = null where receiver = 0`);
    await pool.query(`update usage.alert_deliveries set attempts = 1, last_error = 'refused' where receiver = 1`);
    expect(await asking).toMatchObject({ deliveries: [{ state: 'delivered', attempts: 1, error: null }, { state: 'waiting', attempts: 1, error: 'refused' }] });
  });

  test('of a rule that there is not, or while rules are not known, says so', async () => {
    await expect(testAlert({ pool, settings: watch }, 'file:other', nowMs, 0)).rejects.toMatchObject({ code: 'not_found' });
    await expect(testAlert({ pool, settings: { ...watch, settings: () => null } }, 'file:slow', nowMs, 0)).rejects.toBeInstanceOf(DejaError);
  });
});
