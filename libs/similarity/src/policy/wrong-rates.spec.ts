import fc from 'fast-check';
import { VERDICT_KINDS } from '../verify/verdict.ts';
import { readCalibration } from './calibration.ts';
import type { Observation } from './observation.ts';
import { singleHitCap } from './risk-budget.ts';
import { WrongRates } from './wrong-rates.ts';

const calibration = await readCalibration(new URL('../../../../models/calibration/', import.meta.url));
const DAY_MS = 86_400_000;
const MATCH = { tenant: 't', model: 'm', entry: 'e', kind: 'surface', similarity: 0.9 } as const;
const QUESTION = { ...MATCH, maxWrongRate: 0.01, auditShare: 0.02 };
/** No audit. */
const NO = { nowMs: 0, random: 0.999 };
const observation = (over: Partial<Observation> = {}): Observation => ({ ...MATCH, atMs: 0, wrong: false, source: 'audit', ...over });
/** Every observation about an entry of its own: what is learnt is about the kind. */
const observeMany = (rates: WrongRates, times: number, over: Partial<Observation>): void => {
  for (let n = 0; n < times; n++) rates.observe(observation({ entry: `${String(over.wrong)}-${n}`, ...over }));
};

const kind = fc.constantFrom(...VERDICT_KINDS);
/** Of what is said again of one answer only the first counts, so that its order does matter. */
const saidOnce = (all: Observation[]): Observation[] => [...new Map(all.map((one, i) => [one.source === 'audit' ? String(i) : JSON.stringify([one.tenant, one.entry, one.wrong]), one])).values()];
const anObservation = fc.record({
  atMs: fc.constantFrom(0, DAY_MS, 9 * DAY_MS), tenant: fc.constantFrom('t', 'u'), model: fc.constant('m'), entry: fc.constantFrom('e', 'f', 'g'), kind,
  similarity: fc.integer({ min: 50, max: 100 }).map((n) => n / 100), wrong: fc.boolean(), source: fc.constantFrom('audit' as const, 'feedback' as const), refused: fc.boolean(),
});

test('a cold start needs no warm-up: what is surest is served at once under every usual bound', () => {
  for (const served of ['same_text', 'surface'] as const) {
    expect(new WrongRates(calibration).decide({ ...QUESTION, kind: served }, NO)).toMatchObject({ decision: 'serve', reason: null });
  }
  expect(new WrongRates(calibration).decide({ ...QUESTION, kind: 'same_text', maxWrongRate: 0.001 }, NO).decision).toBe('serve');
});

test('where nothing may be wrong nothing is served or audited', () => {
  expect(new WrongRates(calibration).decide({ ...QUESTION, kind: 'same_text', maxWrongRate: 0 }, { nowMs: 0, random: 0 })).toMatchObject({ decision: 'refuse', reason: 'too_risky' });
});

test('a wrong answer takes its entry out at once, and leaves others', () => {
  const rates = new WrongRates(calibration);
  observeMany(rates, 200, {});
  rates.observe(observation({ wrong: true }));
  expect(rates.decide(QUESTION, NO)).toMatchObject({ decision: 'refuse', reason: 'too_risky' });
  expect(rates.decide({ ...QUESTION, entry: 'another' }, NO).decision).toBe('serve');
});

test('what people report as wrong says something about other answers only when it comes often', () => {
  const rates = new WrongRates(calibration);
  for (const entry of ['a', 'b']) rates.observe(observation({ entry, wrong: true, source: 'feedback' }));
  expect(['a', 'another'].map((entry) => rates.decide({ ...QUESTION, entry }, NO).decision)).toEqual(['refuse', 'serve']);
  expect(rates.rates('t', 0)).toMatchObject([{ observations: 2, wrong: 2, low: 0, stopped: false }]);
  observeMany(rates, 3, { wrong: true, source: 'feedback' });
  expect(rates.decide({ ...QUESTION, entry: 'another' }, NO).decision).toBe('refuse');
});

test('what is said again of one answer is not counted again', () => {
  const rates = new WrongRates(calibration);
  for (let n = 0; n < 60; n++) for (const wrong of [true, false]) rates.observe(observation({ wrong, source: 'feedback' }));
  expect(rates.rates('t', 0)).toMatchObject([{ observations: 2, wrong: 1 }]);
});

test('whether a scope is stopped is told by the bound that was last asked for or, before anybody asked, by the usual one', () => {
  const rates = new WrongRates(calibration);
  observeMany(rates, 40, { wrong: true });
  expect([rates.rates('t', 0)[0]?.stopped, rates.rates('t', 0, 0.01)[0]?.stopped]).toEqual([false, true]);
  rates.decide({ ...QUESTION, maxWrongRate: 1 }, NO);
  expect(rates.rates('t', 0, 0.01)[0]?.stopped).toBe(false);
});

test('the sum of the risks of what is served stays within the bound, and no single one is a gamble', () => {
  const step = fc.record({ question: fc.record({ kind, entry: fc.constantFrom('e', 'f', 'g', 'h'), similarity: fc.constant(0.9) }), evidence: fc.option(anObservation), laterMs: fc.nat(DAY_MS), random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) });
  fc.assert(fc.property(fc.constantFrom(0.001, 0.01, 0.05, 0.3), fc.array(step, { maxLength: 120 }), (maxWrongRate, steps) => {
    const rates = new WrongRates(calibration);
    let [nowMs, served, risk] = [0, 0, 0];
    let newestMs = 0;
    for (const { question, evidence, laterMs, random } of steps) {
      nowMs += laterMs;
      if (evidence !== null) rates.observe({ ...evidence, tenant: 't', atMs: nowMs, wrong: evidence.wrong && random > 0.9 });
      const { decision, wrong } = rates.decide({ ...QUESTION, ...question, maxWrongRate }, { nowMs, random });
      if (decision !== 'serve') continue;
      const fade = 2 ** (-(nowMs - newestMs) / (calibration.halfLifeDays * DAY_MS));
      [served, risk, newestMs] = [served * fade + 1, risk * fade + wrong, nowMs];
      expect(risk).toBeLessThanOrEqual(maxWrongRate * served * (1 + 1e-9));
      expect(wrong).toBeLessThanOrEqual(singleHitCap(maxWrongRate));
    }
  }));
});

test('replicas that fold the same observations in another order assess alike', () => {
  fc.assert(fc.property(fc.array(anObservation, { maxLength: 40 }).map(saidOnce).chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))), kind, ([all, shuffled], asked) => {
    const [a, b] = [new WrongRates(calibration), new WrongRates(calibration)];
    for (const one of all) a.observe(one);
    for (const one of shuffled) b.observe(one);
    const match = { ...MATCH, kind: asked };
    expect(a.assess(match, 10 * DAY_MS).wrong).toBeCloseTo(b.assess(match, 10 * DAY_MS).wrong, 9);
    const byTenant = (x: { tenant: string }, y: { tenant: string }): number => x.tenant.localeCompare(y.tenant);
    const [ratesOfA, ratesOfB] = [a.rates(null, 10 * DAY_MS).sort(byTenant), b.rates(null, 10 * DAY_MS).sort(byTenant)];
    expect(ratesOfA.map(({ tenant, low }) => [tenant, low.toFixed(9)])).toEqual(ratesOfB.map(({ tenant, low }) => [tenant, low.toFixed(9)]));
  }));
});

test('one more wrong observation never lowers the risk of any match', () => {
  fc.assert(fc.property(fc.array(anObservation, { maxLength: 30 }), anObservation, kind, fc.constantFrom(0.6, 0.8, 1), (all, extra, asked, similarity) => {
    const rates = new WrongRates(calibration);
    for (const one of all) rates.observe(one);
    const match = { ...MATCH, kind: asked, similarity };
    const before = rates.assess(match, 10 * DAY_MS).wrong;
    rates.observe({ ...extra, wrong: true });
    expect(rates.assess(match, 10 * DAY_MS).wrong).toBeGreaterThanOrEqual(before * (1 - 1e-9));
  }));
});

test('a scope whose answers are surely wrong too often stops, goes on auditing, and recovers when the evidence changes', () => {
  const rates = new WrongRates(calibration);
  observeMany(rates, 6, { kind: 'paraphrase', wrong: true });
  observeMany(rates, 40, { kind: 'paraphrase' });
  // Another kind is not at fault, but too much of what is served is wrong.
  const asked = { ...QUESTION, kind: 'same_text' } as const;
  expect(rates.decide(asked, NO)).toMatchObject({ decision: 'refuse', reason: 'stopped' });
  expect(rates.decide(asked, { nowMs: 0, random: 0.05 })).toMatchObject({ decision: 'audit', reason: 'stopped' });
  expect(rates.rates('t', 0)).toEqual([expect.objectContaining({ tenant: 't', model: 'm', observations: 46, wrong: 6, stopped: true })]);
  observeMany(rates, 800, { kind: 'same_text', atMs: DAY_MS });
  expect(rates.decide(asked, { nowMs: DAY_MS, random: 0.999 }).decision).toBe('serve');
  expect(rates.rates(null, DAY_MS)).toEqual([expect.objectContaining({ stopped: false })]);
});

test('observations of what is not served teach about their kind, but do not stop what is', () => {
  const rates = new WrongRates(calibration, { learnsFromRefused: true });
  observeMany(rates, 40, { kind: 'paraphrase', wrong: true, refused: true });
  expect(rates.decide({ ...QUESTION, kind: 'same_text' }, NO).decision).toBe('serve');
  expect(rates.decide({ ...QUESTION, kind: 'paraphrase' }, NO)).toMatchObject({ decision: 'refuse', reason: 'too_risky' });
  expect(rates.decide({ ...QUESTION, kind: 'paraphrase' }, { nowMs: 0, random: 0.05 })).toMatchObject({ decision: 'audit', reason: 'too_risky' });
  expect(rates.rates('t', 0)[0]).toMatchObject({ observations: 0, wrong: 0 });
});

test('evidence fades: after many half-lives the shipped prior is back', () => {
  const rates = new WrongRates(calibration);
  const { wrong } = rates.assess({ ...MATCH, entry: 'new' }, 0);
  observeMany(rates, 30, { wrong: true });
  expect(rates.assess({ ...MATCH, entry: 'new' }, DAY_MS).wrong).toBeGreaterThan(0.3);
  expect(rates.assess({ ...MATCH, entry: 'new' }, 40 * calibration.halfLifeDays * DAY_MS).wrong).toBeCloseTo(wrong, 6);
});

test('audits stay within their share over time, and come early where nothing is known', () => {
  const rates = new WrongRates(calibration);
  let state = 1;
  const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
  const audits: number[] = [];
  for (let n = 0; n < 20_000; n++) {
    if (rates.decide({ ...QUESTION, entry: `e${n}` }, { nowMs: n, random: random() }).decision !== 'audit') continue;
    audits.push(n);
    rates.observe(observation({ entry: `e${n}`, atMs: n }));
  }
  expect(audits.filter((n) => n < 400).length).toBeGreaterThan(10);
  expect(audits.filter((n) => n < 400).length).toBeLessThan(60);
  expect(audits.length).toBeLessThan(0.02 * 20_000 + 40);
  expect(audits.length).toBeGreaterThan(0.01 * 20_000);
  expect(new WrongRates(calibration).decide({ ...QUESTION, auditShare: 0 }, { nowMs: 0, random: 0 }).decision).toBe('serve');
});

test('a kind that was right for long and turns wrong is not excused by its past', () => {
  const rates = new WrongRates(calibration);
  observeMany(rates, 2000, {});
  observeMany(rates, 20, { atMs: 20 * DAY_MS });
  observeMany(rates, 2, { atMs: 20 * DAY_MS, wrong: true });
  expect(rates.assess({ ...MATCH, entry: 'new' }, 20 * DAY_MS).wrong).toBeGreaterThan(0.03);
  expect(rates.assess({ ...MATCH, entry: 'new' }, 30 * DAY_MS).wrong).toBeLessThan(0.01);
});

test('memory is bounded: what had no news for longest goes first', () => {
  const rates = new WrongRates(calibration, { limits: { scopes: 10, entries: 20 } });
  for (let n = 0; n < 100; n++) {
    rates.observe(observation({ tenant: `t${n}`, entry: `e${n}`, wrong: true }));
    rates.decide({ ...QUESTION, tenant: `t${n}` }, NO);
  }
  expect(rates.size).toEqual({ scopes: 10, entries: 20, servings: 10 });
  expect(rates.rates('t99', 0)).toHaveLength(1);
  expect(rates.rates('t0', 0)).toHaveLength(0);
});
