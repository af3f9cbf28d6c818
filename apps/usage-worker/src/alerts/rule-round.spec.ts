import { describe, expect, test } from '@jest/globals';
import type { AlertRule, AlertSilence, ShownReceiver } from '@deja/contracts';
import { endOfRule, MOST_ALERTS, ruleRound, type KeptAlert, type RuleRound } from './rule-round.ts';
import { ruleInForce } from './rule.ts';
import type { Reading } from './readings/reading.ts';
import { toldRows } from './tell.ts';

const rule = (of: Partial<AlertRule> = {}) => ruleInForce({ id: 'file:slow', name: 'slow', source: 'file', enabled: true, when: { metric: 'error_rate', above: 0.5, for_s: 0, clear_s: 0, tenant: '*' }, group_by: [], repeat_s: null, ...of });
const reading = (tenant: string, value: number | null, threshold = 0.5): Reading => ({ labels: { tenant }, value, threshold });
/** The names of tenants, by what became of them. */
const said = ({ kept, over, told, cut }: RuleRound) => ({ kept: kept.map(({ labels, state }) => `${labels.tenant} ${state.phase}`), over: over.length, told: told.map(({ of, told: { state } }) => `${of.labels.tenant} ${state}`), cut });

describe('one rule in one evaluation', () => {
  test('has an alert for each reading above its threshold', () => {
    const round = ruleRound(rule(), [reading('a', 0.9), reading('b', 0.5), reading('c', null)], [], [], 1000);
    expect(said(round)).toEqual({ kept: ['a firing'], over: 0, told: ['a firing'], cut: 0 });
  });

  test('an alert of which nothing is said is over where all there is was read, and stays where that says nothing', () => {
    const of = (metric: 'error_rate' | 'queue_lag_s' | 'unknown_price') => rule({ when: { metric, above: 0.5, for_s: 0, clear_s: 0 } });
    const next = (metric: 'error_rate' | 'unknown_price') => said(ruleRound(of(metric), [], ruleRound(of(metric), [reading('a', 0.9)], [], [], 1000).kept, [], 2000));
    expect(next('error_rate')).toEqual({ kept: ['a firing'], over: 0, told: [], cut: 0 });
    expect(next('unknown_price')).toEqual({ kept: [], over: 1, told: ['a resolved'], cut: 0 });
  });

  test('the end of what is new is not told: nothing was wrong', () => {
    const first = rule({ when: { metric: 'new_model' } });
    const { kept } = ruleRound(first, [reading('a', 1, 0)], [], [], 1000);
    expect(said(ruleRound(first, [], kept, [], 2000))).toEqual({ kept: [], over: 1, told: [], cut: 0 });
  });

  test('a rule whose condition was changed ends what it had, and begins anew', () => {
    const { kept } = ruleRound(rule(), [reading('a', 0.9), reading('b', 0.6)], [], [], 1000);
    const stricter = rule({ when: { metric: 'error_rate', above: 0.8, for_s: 0, clear_s: 0, tenant: '*' } });
    expect(said(ruleRound(stricter, [reading('a', 0.9, 0.8), reading('b', 0.6, 0.8)], kept, [], 2000))).toEqual({ kept: ['a firing'], over: 1, told: ['a resolved', 'b resolved', 'a firing'], cut: 0 });
  });

  test('another name, other receivers or groups change nothing of what fires', () => {
    const { kept } = ruleRound(rule(), [reading('a', 0.9)], [], [], 1000);
    const round = ruleRound(rule({ name: 'slower', group_by: ['tenant'], repeat_s: 3600 }), [reading('a', 0.9)], kept, [], 2000);
    expect(said(round)).toEqual({ kept: ['a firing'], over: 0, told: [], cut: 0 });
    expect(round.kept[0]?.alert).toBe('slower');
  });

  test('the order in which a condition is written says nothing', () => {
    expect(rule({ when: { above: 1, metric: 'latency_ms' } }).fingerprint).toBe(rule({ when: { metric: 'latency_ms', above: 1, tenant: undefined } }).fingerprint);
  });

  test('a rule that is gone or off ends all it had; what was only pending is told to nobody', () => {
    const patient = rule({ when: { metric: 'error_rate', above: 0.5, for_s: 60, tenant: '*' } });
    const kept: KeptAlert[] = [...ruleRound(rule(), [reading('a', 0.9)], [], [], 1000).kept, ...ruleRound(patient, [reading('b', 0.9)], [], [], 1000).kept];
    expect(said(endOfRule(kept, [], true, 2000))).toEqual({ kept: [], over: 2, told: ['a resolved'], cut: 0 });
  });

  test('has no more alerts than one rule may have: those there are, then the worst; how many more there are is said', () => {
    const first = ruleRound(rule(), [reading('mild', 0.51)], [], [], 1000).kept;
    const many = Array.from({ length: MOST_ALERTS + 9 }, (_, i) => reading(`t${i}`, 0.6 + i / 10_000));
    const round = ruleRound(rule(), [reading('mild', 0.51), ...many], first, [], 2000);
    expect([round.kept.length, round.cut]).toEqual([MOST_ALERTS, 10]);
    const names = new Set(round.kept.map(({ labels }) => labels.tenant));
    expect([names.has('mild'), names.has('t9'), names.has('t10')]).toEqual([true, false, true]);
  });

  test('a silence keeps what it matches from being told, and nothing else', () => {
    const silence: AlertSilence = { id: 'calm', alert: 'slow', labels: { tenant: 'a' }, startsAtMs: 0, endsAtMs: 5000, comment: '' };
    const round = ruleRound(rule(), [reading('a', 0.9), reading('b', 0.9)], [], [silence], 1000);
    expect(round.told.map(({ of, told }) => [of.labels.tenant, told.silencedBy])).toEqual([['a', 'calm'], ['b', null]]);
    expect(ruleRound(rule(), [reading('a', 0.9), reading('b', 0.9)], round.kept, [silence], 5000).told.map(({ of }) => of.labels.tenant)).toEqual(['a']);
  });
});

describe('what is told', () => {
  const receivers: ShownReceiver[] = [{ kind: 'webhook', to: 'hooks.example.com', signed: true }, { kind: 'slack', to: 'hooks.slack.com', signed: false }];
  const rows = (labels: Record<string, string>[], groupBy: ('tenant' | 'key')[], more: Partial<Parameters<typeof toldRows>[0]> = {}) => {
    let made = 0;
    const told = labels.map((of) => ruleRound(rule(), [{ labels: of, value: 0.9, threshold: 0.5 }], [], [], 1000).told[0]!);
    return toldRows({ rule: 'file:slow', groupBy, receivers, told, nowMs: 1000, newId: () => `id-${(made += 1)}`, ...more });
  };

  test('of one alert is as receivers know it, one delivery each', () => {
    const { events, deliveries } = rows([{ tenant: 'a' }], []);
    expect(deliveries.map(({ receiver, shown, notification }) => [receiver, shown.kind, notification])).toEqual([[0, 'webhook', 'id-1'], [1, 'slack', 'id-1']]);
    expect(deliveries[0]?.payload).toEqual({
      id: 'id-1', alert: 'slow', state: 'firing', metric: 'error_rate', value: 0.9, threshold: 0.5, labels: { tenant: 'a' }, started_at: '1970-01-01T00:00:01.000Z', resolved_at: null,
    });
    expect(events).toMatchObject([{ id: 'id-1', notification: 'id-1', state: 'firing', test: false }]);
  });

  test('says when its figure was seen, where that is more than two minutes ago', () => {
    const seenAt = (nowMs: number) => rows([{ tenant: 'a' }, { tenant: 'b' }], [], { nowMs }).deliveries[0]?.payload.alerts?.map(({ seen_at: at }) => at);
    expect([seenAt(121_000), seenAt(121_001)]).toEqual([[undefined, undefined], ['1970-01-01T00:00:01.000Z', '1970-01-01T00:00:01.000Z']]);
  });

  test('of several is together where they are alike in the labels that group them; without any, all of a rule', () => {
    const labels = [{ tenant: 'a', key: 'x' }, { tenant: 'b', key: 'y' }, { tenant: 'a', key: 'z' }];
    const shapes = (groupBy: ('tenant' | 'key')[]) => rows(labels, groupBy, { receivers: receivers.slice(0, 1) }).deliveries.map(({ payload }) => [payload.labels, payload.alerts?.length ?? 1]);
    expect(shapes([])).toEqual([[{}, 3]]);
    expect(shapes(['tenant'])).toEqual([[{ tenant: 'a' }, 2], [{ tenant: 'b', key: 'y' }, 1]]);
    expect(shapes(['key'])).toHaveLength(3);
  });

  test('of very many shows some, and says how many more there are and how many are not followed', () => {
    const { deliveries, events } = rows(Array.from({ length: 130 }, (_, i) => ({ tenant: `t${i}` })), [], { cut: 7 });
    expect([deliveries[0]?.payload.alerts?.length, deliveries[0]?.payload.more, deliveries[0]?.payload.cut]).toEqual([100, 30, 7]);
    expect(new Set(events.map(({ notification }) => notification))).toEqual(new Set([deliveries[0]?.notification]));
  });

  test('of a rule that names nobody, or in a silence, is written down and delivered to nobody', () => {
    expect(rows([{ tenant: 'a' }], [], { receivers: [] })).toMatchObject({ events: [{ notification: null }], deliveries: [] });
    const [one] = ruleRound(rule(), [reading('a', 0.9)], [], [{ id: 'calm', alert: null, labels: {}, startsAtMs: 0, endsAtMs: 5000, comment: '' }], 1000).told;
    expect(rows([], [], { told: [one!] })).toMatchObject({ events: [{ silenced_by: 'calm', notification: null }], deliveries: [] });
  });
});
