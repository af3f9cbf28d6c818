import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import type { Deployment, LateAttempt, Principal, RoutingSnapshot } from '@deja/contracts';
import { answer, eventually, fakeProvider, raw, status, type FakeProvider } from '@deja/testing';
import { Shadows } from '../src/attempt/shadow.ts';
import { BoughtVectors } from '../src/cache/bought-vectors.ts';
import { Judge } from '../src/judge/judge.ts';
import type { Operation } from '../src/operation/operation.ts';
import { Planner } from '../src/plan/planner.ts';
import { AttemptWorld, operationOf } from './attempt-world.ts';
import { settings } from './cache-stage.ts';

/** Calls that the semantic cache makes for itself: a judge's, an embedder's. */

let provider: FakeProvider;
let world: AttemptWorld;
let events: LateAttempt[] = [];
let calls: Shadows;

const quiet = { debug: () => undefined, error: () => undefined };
const shadows = (atOnce = 8): Shadows => new Shadows(world.attempts, async (event) => void events.push(event), { shadow: () => undefined }, quiet, { atOnce, graceMs: 1000 });

beforeAll(async () => {
  provider = await fakeProvider();
});
beforeEach(() => {
  world = new AttemptWorld();
  events = [];
  calls = shadows();
});
afterEach(async () => {
  await calls.close();
  provider.reset();
  await world.close();
});
afterAll(() => provider.close());

function snapshot(): RoutingSnapshot {
  const deployment = (name: string): Deployment => ({ id: `p/${name}`, provider: 'p', kind: 'openai', baseUrl: provider.url, apiVersion: null, upstreamModel: name, credentials: [], unavailableUntilMs: 0 });
  const model = (name: string): RoutingSnapshot['models'][number] => ({ name, strategy: 'weighted', deployments: [{ id: `p/${name}`, weight: 1, priority: 1 }], fallbacks: [] });
  return { version: 1, issuedAtMs: 0, models: ['judge', 'e'].map(model), deployments: ['judge', 'e'].map(deployment), settings: settings() };
}

function operationAt(tenant = 't'): Operation {
  const operation = operationOf();
  operation.principal = { tenant, key: 'k' } as Principal;
  return operation;
}

describe('a judge', () => {
  const TEXTS = ['How do I reset it?', 'How do I undo it?'] as const;
  const judge = (at: Shadows = calls): Judge => new Judge(new Planner(world.view), at, metrics.getMeter('test'));
  const judged = (at: Judge, operation = operationAt(), ms = 5000, model = 'judge'): Promise<boolean | null> => at.same('questions', TEXTS, { model, timeout_ms: ms }, { operation, snapshot: snapshot() });

  test.each([['SAME', true], ['DIFFERENT', false], ['I cannot say.', null]])('that says %j is taken for %s', async (said, same) => {
    provider.script(answer(said));
    expect(await judged(judge())).toBe(same);
    expect(provider.requests).toMatchObject([{ body: { model: 'judge', temperature: 0, messages: [{ role: 'system' }, { role: 'user', content: JSON.stringify({ first: TEXTS[0], second: TEXTS[1] }) }] } }]);
  });

  test('is asked for the operation, also after its end, and stands in the ledger as a shadow of it', async () => {
    provider.script(answer('SAME', { usage: { promptTokens: 90, completionTokens: 1 } }));
    const operation = operationAt();
    operation.end();
    expect(await judged(judge(), operation)).toBe(true);
    await calls.close();
    expect(events).toMatchObject([{ kind: 'late_attempt', operation: operation.id, tenant: 't', attempt: { n: 0, shadow: true, model: 'judge', outcome: 'ok', usage: { promptTokens: 90, completionTokens: 1 } } }]);
    expect(operation.attempts).toEqual([]);
  });

  test.each<[string, () => void, number, string]>([
    ['fails', () => provider.script(status(500)), 5000, 'judge'],
    ['does not answer in time', () => provider.script({ hangAfter: 0 }), 20, 'judge'],
    ['is a model that nobody serves', () => undefined, 5000, 'unknown'],
  ])('that %s says nothing, and fails nobody', async (_, prepare, ms, model) => {
    prepare();
    expect(await judged(judge(), operationAt(), ms, model)).toBeNull();
  });

  test('is asked so often at once and no more', async () => {
    const gate = Promise.withResolvers<void>();
    provider.script(answer('SAME', { gate: () => gate.promise }));
    const few = shadows(1);
    const one = judge(few);
    const first = judged(one);
    expect(await judged(one)).toBeNull();
    gate.resolve();
    expect(await first).toBe(true);
    await few.close();
    expect(provider.requests).toHaveLength(1);
  });
});

describe('a bought vector', () => {
  const vectors = (most?: number): BoughtVectors => new BoughtVectors(new Planner(world.view), calls, most);
  const bought = (at: BoughtVectors, text: string, operation = operationAt(), embedder = 'p:e'): ReturnType<NonNullable<ReturnType<BoughtVectors['buyer']>>> => {
    const buy = at.buyer({ operation, snapshot: snapshot() }, embedder, text);
    if (buy === undefined) throw new Error('it is not bought');
    return buy();
  };
  const numbers = (values = ''): number[] => Array.from(new Float32Array(Uint8Array.from(Buffer.from(values, 'base64')).buffer));

  test('is the provider’s, as float32', async () => {
    provider.script(raw({ contentType: 'application/json', body: JSON.stringify({ object: 'list', model: 'e', data: [{ object: 'embedding', index: 0, embedding: [0.5, -0.25] }], usage: { prompt_tokens: 4, total_tokens: 4 } }) }));
    const vector = await bought(vectors(), 'What is the capital?');
    expect([vector?.embedder, numbers(vector?.values)]).toEqual(['p:e', [0.5, -0.25]]);
    expect(provider.requests).toMatchObject([{ path: '/v1/embeddings', body: { model: 'e', input: 'what is the capital' } }]);
  });

  test('is one call for all who have the same text, at once or later, but for case and white space', async () => {
    const at = vectors();
    const [first, second] = await Promise.all([bought(at, 'What is it'), bought(at, 'what  is it?')]);
    expect([second, await bought(at, 'WHAT IS IT')]).toEqual([first, first]);
    expect(provider.requests).toHaveLength(1);
    await calls.close();
    expect(events).toMatchObject([{ attempt: { shadow: true, model: 'e', outcome: 'ok', usage: { completionTokens: 0 } } }]);
  });

  test('is bought by each tenant for itself', async () => {
    const at = vectors();
    await bought(at, 'What is it', operationAt('a'));
    await bought(at, 'What is it', operationAt('b'));
    await eventually('both records', () => events.length === 2);
    expect(events.map(({ tenant }) => tenant)).toEqual(['a', 'b']);
  });

  test('goes on for others when the client for whom it was asked leaves', async () => {
    const gate = Promise.withResolvers<void>();
    provider.script({ gate: () => gate.promise });
    const at = vectors();
    const operation = operationAt();
    const first = bought(at, 'What is it', operation);
    operation.abandon();
    const second = bought(at, 'What is it');
    gate.resolve();
    expect([(await first)?.embedder, (await second)?.embedder]).toEqual(['p:e', 'p:e']);
    expect(provider.requests).toHaveLength(1);
  });

  test('is forgotten when others were asked for more lately', async () => {
    const at = vectors(2);
    for (const text of ['one', 'two', 'one', 'three', 'one', 'two']) await bought(at, text);
    expect(provider.requests.map(({ body }) => (body as { input: string }).input)).toEqual(['one', 'two', 'three', 'two']);
  });

  test('that cannot be had is nothing, and is asked for anew', async () => {
    const at = vectors();
    provider.script(status(500));
    expect(await bought(at, 'What is it')).toBeNull();
    expect(await bought(at, 'What is it')).not.toBeNull();
  });

  test.each([['p:unknown', 'nobody serves the model'], ['other:e', 'another provider serves the model']])('of %s is nothing: %s', async (embedder) => {
    expect(await bought(vectors(), 'What is it', operationAt(), embedder)).toBeNull();
    expect(provider.requests).toEqual([]);
  });

  test.each(['built-in', 'onnx:/models/e5'])('is not wanted with %s', (embedder) => {
    expect(vectors().buyer({ operation: operationAt(), snapshot: snapshot() }, embedder, 'What is it')).toBeUndefined();
  });
});
