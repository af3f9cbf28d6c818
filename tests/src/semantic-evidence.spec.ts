import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, status, type ScriptStep } from '@deja/testing';
import { Redis } from 'ioredis';
import { eventually, operationRow, type Raw } from './client.ts';
import { cacheOf, GATEWAYS, MODEL, modelOf, reasonOf, said, SemanticCluster, type Asking } from './semantic-cluster.ts';

/** Each in words of its own, and in other words of form. */
const QUESTIONS = [
  ['How do I clean a trombone?', 'How can I clean a trombone, please?'],
  ['How do I bake a marmalade cake?', 'How can I bake a marmalade cake, please?'],
  ['How do I remove coffee stains from a carpet?', 'How can I remove coffee stains from a carpet, please?'],
  ['How do I fold a paper crane?', 'How can I fold a paper crane, please?'],
  ['How do I sharpen a kitchen knife?', 'How can I sharpen a kitchen knife, please?'],
  ['How do I whistle with two fingers?', 'How can I whistle with two fingers, please?'],
] as const;
const [[TROMBONE, TROMBONE_OTHERWISE], [CAKE, CAKE_OTHERWISE]] = QUESTIONS;
const NOT_TRUSTED = /^MISS (stopped|too_risky)$/;
const ALL_AUDITED = { audit: { share: 1, max_per_hour: 1000 } };

interface WrongRate {
  tenant: string;
  model: string;
  observations: number;
  wrong: number;
  rate: number;
  low: number;
  high: number;
  stopped: boolean;
}

interface ShadowRow {
  [column: string]: unknown;
  model: string;
  outcome: string;
  usage_source: string;
  prompt_tokens: number | null;
  cost_nano_usd: string | null;
}

let stage: SemanticCluster;
/** What the provider answers, and what the judge says. */
let truth: string;
let verdict: ScriptStep;

beforeAll(async () => {
  stage = await SemanticCluster.start({ env: { LOG_LEVEL: 'debug' } });
  stage.provider.otherwise((request) => (modelOf(request) !== 'gpt-4.1-nano' ? answer(truth) : typeof verdict === 'function' ? verdict(request) : verdict));
}, 90_000);
afterEach(() => stage.provider.reset());
afterAll(() => stage?.stop());

async function rateOf(tenant: string): Promise<WrongRate | undefined> {
  const stats = await stage.admin.done('GET', `cache/stats?tenant=${tenant}`);
  return (stats['wrong_rates'] as WrongRate[] | null)?.find(({ model }) => model === MODEL);
}
const observed = (tenant: string, observations: number, wrong: number): Promise<WrongRate> =>
  eventually(`${observations} observations of ${tenant}, ${wrong} wrong`, async () => {
    const rate = await rateOf(tenant);
    // They fade by the day, and so by a trifle within this test.
    return rate && Math.round(rate.observations * 100) === observations * 100 && Math.round(rate.wrong * 100) === wrong * 100 && rate;
  });
const shadowsOf = ({ headers }: Raw): Promise<ShadowRow[]> => stage.cluster.sql<ShadowRow>('select * from usage.attempts where operation_id = $1 and shadow', [headers.get('x-request-id')]);

/** Has an answer kept, and waits until the question in other words would find it: as a hit, or one that is audited. */
async function keptUnderAudit(question: string, asking: Asking): Promise<void> {
  await stage.ask(question, asking);
  for (const gateway of GATEWAYS) await stage.servedAs(question.toUpperCase(), 'audit', { ...asking, gateway });
}

describe('audits', () => {
  beforeAll(async () => {
    truth = 'Four steps, in this order.';
    await stage.configure({ semantic: ALL_AUDITED });
  });

  test('let the provider answer what would have been a hit, and the client gets that answer; right ones are counted as right', async () => {
    const { tenant, key } = await stage.tenant();
    truth = 'Four steps, in this order.';
    await stage.ask(TROMBONE, { key });
    const audited = await stage.servedAs(TROMBONE_OTHERWISE, 'audit', { key });
    expect(await operationRow(stage.cluster, audited.headers.get('x-request-id'))).toMatchObject({ cache: 'MISS', usage_source: 'upstream' });
    expect(await observed(tenant, 1, 0)).toMatchObject({ tenant, rate: 0, low: 0, stopped: false });
    truth = 'Another wording of the four steps.';
    expect(said(await stage.servedAs(TROMBONE_OTHERWISE, 'audit', { key, gateway: 1 }))).toBe(truth);
  });

  test('that contradict what is kept stop the semantic answers of that tenant and model by themselves, and nothing else', async () => {
    const [{ tenant, key }, other] = [await stage.tenant(), await stage.tenant()];
    truth = 'Yes, it is safe for everybody.';
    for (const asking of [{ key }, { key: other.key }]) await Promise.all(QUESTIONS.map(([question]) => keptUnderAudit(question, asking)));
    const before = await eventually('what was audited so far', async () => ((await rateOf(tenant))?.observations ?? 0) >= QUESTIONS.length && (await rateOf(tenant)));
    expect(before.wrong).toBe(0);

    truth = 'No, never do that, it kills: seventy litres of acid.';
    for (const [, otherwise] of QUESTIONS) {
      const fresh = await stage.look(otherwise, { key });
      expect([fresh.headers.get('x-cache'), said(fresh)]).toEqual(['MISS', truth]);
      if (NOT_TRUSTED.test(cacheOf(fresh))) break; // it needs no more
    }
    const rate = await eventually('the wrong rate to be above the bound', async () => {
      const found = await rateOf(tenant);
      return (found?.wrong ?? 0) >= 1 && found;
    });
    expect(rate.rate).toBeGreaterThan(0.01);

    // Nothing is audited any more, and it stays as it is: also for what was never found wrong itself.
    await stage.configure({});
    await stage.ask('How do I tune a harpsichord?', { key });
    for (const gateway of GATEWAYS) {
      const refused = await eventually('a question like it to be found', async () => {
        const reply = await stage.look('How can I tune a harpsichord, please?', { key, gateway });
        return !/no_candidate/.test(cacheOf(reply)) && reply;
      });
      expect(cacheOf(refused)).toMatch(NOT_TRUSTED);
      expect(cacheOf(await stage.look(CAKE_OTHERWISE, { key, gateway }))).toMatch(NOT_TRUSTED);
      expect(cacheOf(await stage.ask(CAKE, { key, gateway }))).toBe('HIT-EXACT');
      expect(cacheOf(await stage.look(CAKE_OTHERWISE, { key: other.key, gateway }))).toBe('HIT-SEMANTIC');
      expect(cacheOf(await stage.look(CAKE_OTHERWISE, { key, gateway, more: { model: 'gpt-4o' } }))).toBe('MISS no_entry');
    }
    const model = { model: 'gpt-4o' };
    await stage.kept(CAKE, { key, more: model });
    await stage.servedAs(CAKE_OTHERWISE, 'HIT-SEMANTIC', { key, more: model });
  });

  test('are no more in an hour than may be: beyond that, what would be a hit is one', async () => {
    truth = 'Always the same.';
    await stage.configure({ semantic: { audit: { share: 1, max_per_hour: 2 } } });
    const { key } = await stage.tenant();
    await stage.ask(TROMBONE, { key });
    await stage.servedAs(TROMBONE_OTHERWISE, 'audit', { key });
    // Of the gateway's two this was one; only where an hour of the clock begins meanwhile there are two more.
    const seen: string[] = [];
    for (let n = 0; n < 6; n++) seen.push(cacheOf(await stage.look(TROMBONE_OTHERWISE, { key })));
    expect(new Set(seen)).toEqual(new Set(['MISS audit', 'HIT-SEMANTIC']));
    expect(seen.filter((cache) => cache === 'MISS audit').length).toBeLessThanOrEqual(3);
  });
});

describe('feedback that an answer was wrong', () => {
  beforeAll(() => stage.configure({}), 30_000);

  test('has it served nowhere within a second, and counts for its tenant', async () => {
    const [{ tenant, key }, other] = [await stage.tenant(), await stage.tenant()];
    const { entry } = await stage.kept(TROMBONE, { key });
    await stage.kept(TROMBONE, { key: other.key });
    const counted = async (): Promise<number[]> => Promise.all(GATEWAYS.map(async (gateway) => {
      const metrics = await (await fetch(`${stage.cluster.opsUrl('gateway', gateway + 1)}/metrics`)).text();
      return Number(/^deja_gateway_cache_feedback_total\{correct="false"[^}]*\} (\d+)/m.exec(metrics)?.[1]);
    }));
    const before = await counted();
    await stage.admin.done('POST', 'cache/feedback', { entry, correct: false });
    await stage.goneEverywhere(TROMBONE_OTHERWISE, { key });
    await observed(tenant, 1, 1);
    expect(await counted()).toEqual([before[0]! + 1, before[1]!]);
    expect(await rateOf(other.tenant)).toBeUndefined();
    for (const gateway of GATEWAYS) await stage.servedAs(TROMBONE_OTHERWISE, 'HIT-SEMANTIC', { key: other.key, gateway });
  });
});

describe('where a judge is to be heard first', () => {
  const judgings = (): number => stage.provider.requests.filter((request) => modelOf(request) === 'gpt-4.1-nano').length;
  beforeAll(async () => {
    truth = 'Four steps, in this order.';
    verdict = answer('SAME');
    await stage.configure({ semantic: { judge: { model: 'judge' } } });
  });

  test('a pair is a miss the first time, a call of the judge in the ledger beside its operation, and a hit from then on at every gateway', async () => {
    const { key } = await stage.tenant();
    verdict = answer('SAME');
    await stage.kept(TROMBONE, { key });
    const first = await stage.look(TROMBONE_OTHERWISE, { key });
    expect(cacheOf(first)).toBe('MISS unjudged');
    const hits = await Promise.all(GATEWAYS.map((gateway) => stage.servedAs(TROMBONE_OTHERWISE, 'HIT-SEMANTIC', { key, gateway })));
    expect(hits.map(said)).toEqual([truth, truth]);
    const [shadow] = await eventually('the judge in the ledger', async () => {
      const rows = await shadowsOf(first);
      return rows.length > 0 && rows;
    });
    expect(shadow).toMatchObject({ model: 'gpt-4.1-nano', outcome: 'ok', usage_source: 'upstream' });
    expect(Number(shadow?.cost_nano_usd)).toBeGreaterThan(0);
    expect(await operationRow(stage.cluster, first.headers.get('x-request-id'))).toMatchObject({ outcome: 'ok', requested_model: MODEL });
    const asked = stage.provider.requests.filter((request) => modelOf(request) === 'gpt-4.1-nano').map(({ rawBody }) => rawBody.toString());
    expect(asked.every((body) => body.includes('trombone') && body.includes('SAME or DIFFERENT'))).toBe(true);
    expect(await shadowsOf(hits[0]!)).toEqual([]);
  });

  test('a pair that it calls different is never served, and it is not asked again', async () => {
    const { key } = await stage.tenant();
    verdict = answer('DIFFERENT');
    await stage.kept(CAKE, { key });
    expect(cacheOf(await stage.look(CAKE_OTHERWISE, { key }))).toBe('MISS unjudged');
    // Until every replica has heard its word it may be asked for it again.
    for (const gateway of GATEWAYS) await stage.servedAs(CAKE_OTHERWISE, 'not_verified', { key, gateway });
    await eventually('the word at every replica', async () => {
      const seen = await Promise.all(Array.from({ length: 6 }, async (_, n) => reasonOf(await stage.look(CAKE_OTHERWISE, { key, gateway: n % 2 }))));
      expect(seen.every((reason) => reason === 'not_verified' || reason === 'unjudged')).toBe(true);
      return seen.every((reason) => reason === 'not_verified');
    });
    const before = judgings();
    for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(CAKE_OTHERWISE, { key, gateway }))).toBe('MISS not_verified');
    expect(judgings()).toBe(before);
  });

  test('one that fails makes no request fail, and nothing a hit but the same words', async () => {
    const { key } = await stage.tenant();
    verdict = status(500);
    await stage.kept(QUESTIONS[3][0], { key });
    for (let n = 0; n < 4; n++) {
      const reply = await stage.look(QUESTIONS[3][1], { key, gateway: n % 2 });
      expect([reply.status, cacheOf(reply), said(reply)]).toEqual([200, 'MISS unjudged', truth]);
    }
    await stage.servedAs(QUESTIONS[3][0].toUpperCase(), 'HIT-SEMANTIC', { key });
  });
});

describe('hits by similarity that are padded', () => {
  const PAD_MS = 700;
  beforeAll(() => stage.configure({ pad_hits_ms: PAD_MS }), 30_000);

  test('never come before their time', async () => {
    const { key } = await stage.tenant();
    await stage.kept(TROMBONE, { key });
    for (const stream of [false, true]) {
      const tookMs = await eventually('a hit', async () => {
        const from = performance.now();
        const reply = await stage.ask(TROMBONE_OTHERWISE, { key, headers: { 'cache-control': 'no-store' }, more: { stream } });
        return cacheOf(reply) === 'HIT-SEMANTIC' && performance.now() - from;
      });
      expect(tookMs).toBeGreaterThanOrEqual(PAD_MS - 1); // timers may be a part of a millisecond early
    }
  });
});

test('what users asked and were answered is in no log of the semantic-cache, not at level debug either, in no metric and in no evidence', async () => {
  const [asked, otherwise] = ['How do I polish an antique sousaphone?', 'How can I polish an antique sousaphone, please?'];
  const { tenant, key } = await stage.tenant();
  truth = 'Velvet, beeswax, patience.';
  verdict = answer('SAME');
  await stage.configure({ semantic: { ...ALL_AUDITED, judge: { model: 'judge' } } });
  await keptUnderAudit(asked, { key });
  truth = 'Cinnamon, turpentine, haste.';
  await stage.servedAs(otherwise, 'audit', { key });
  const seen = await eventually('an audit in the evidence', async () => ((await rateOf(tenant))?.observations ?? 0) >= 2 && (await rateOf(tenant)));
  expect(seen.observations).toBeGreaterThan(0);
  await stage.admin.done('POST', 'cache/invalidate', { tenant, similar_to: asked });

  const redis = new Redis(stage.cluster.redisUrl);
  const evidence = JSON.stringify(await redis.xrange('deja:cache:{evidence}', '-', '+'));
  redis.disconnect();
  const metrics = await Promise.all([1, 2].map(async (n) => (await fetch(`${stage.cluster.opsUrl('semantic-cache', n)}/metrics`)).text()));
  const log = stage.cluster.lines.filter(({ from }) => from.startsWith('semantic-cache')).map(({ text }) => text).join('\n');
  expect(log).toContain('entries and evidence read');
  expect(evidence).toContain(tenant);
  for (const place of [log, evidence, ...metrics]) for (const word of ['sousaphone', 'beeswax', 'turpentine', 'trombone']) expect(place.toLowerCase()).not.toContain(word);
});
