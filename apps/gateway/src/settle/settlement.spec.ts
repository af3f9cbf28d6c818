import { describe, expect, test } from '@jest/globals';
import type { AttemptRecord, OpenOperation, Usage } from '@deja/contracts';
import { chargedTokens, settledRecord, type OperationFacts } from './settlement.ts';

const open: OpenOperation = {
  kind: 'open', id: 'op', tenant: 't', key: 'k', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'm', stream: false, receivedAtMs: 1, estimatedPromptTokens: 9, traceId: null,
};
const usage = (promptTokens: number, completionTokens: number): Usage => ({ promptTokens, cachedTokens: 0, cacheWriteTokens: 0, completionTokens, reasoningTokens: 0 });
const attempt = (fields: Partial<AttemptRecord>): AttemptRecord => ({
  id: 'a', n: 1, provider: 'p', deployment: 'p/m', credential: 'p/a', model: 'm', status: 200, outcome: 'ok', errorCode: null, hedge: false, shadow: false, usage: null, usageSource: 'none', price: null, startedAtMs: 1, firstByteMs: null, durationMs: 1, ...fields,
});
const facts = (fields: Partial<OperationFacts>): OperationFacts => ({
  open, traceparent: null, status: 200, outcome: 'ok', errorCode: null, cache: 'MISS', cacheReason: null, hit: null, servedModel: 'm', attempts: [], flags: [], firstByteMs: 1, durationMs: 2, ...fields,
});

describe('settlement', () => {
  test('what every attempt used is billed, also one whose answer broke off before another took over', () => {
    const record = settledRecord(facts({ attempts: [attempt({ outcome: 'error', usage: usage(10, 3), usageSource: 'estimated' }), attempt({ n: 2, usage: usage(10, 20), usageSource: 'upstream' })] }));
    expect(record).toMatchObject({ usage: { promptTokens: 20, completionTokens: 23 }, usageSource: 'estimated' });
    expect(chargedTokens(record)).toBe(43);
  });

  test('what is not text is added up too, and a tier is named where all were served at it', () => {
    const [one, two] = [{ ...usage(10, 3), audioInputTokens: 4, images: 1, serviceTier: 'flex' as const }, { ...usage(10, 20), audioInputTokens: 5, audioSeconds: 1.5, serviceTier: 'flex' as const }];
    const used = (...all: Usage[]) => settledRecord(facts({ attempts: all.map((each, n) => attempt({ n: n + 1, usage: each, usageSource: 'upstream' })) })).usage;
    expect(used(one, two)).toEqual({ ...usage(20, 23), audioInputTokens: 9, images: 1, audioSeconds: 1.5, serviceTier: 'flex' });
    expect(used(one, usage(1, 1))).toEqual({ ...usage(11, 4), audioInputTokens: 4, images: 1 });
  });

  test('a batch is no burden on limits: providers count its tokens apart', () => {
    expect(chargedTokens(settledRecord(facts({ attempts: [attempt({ usage: { ...usage(1e6, 1e6), serviceTier: 'batch' }, usageSource: 'upstream' })] })))).toBe(0);
  });

  test('an answer from the cache repeats the original numbers, charges no tokens, and names who gave it', () => {
    const record = settledRecord(facts({ cache: 'HIT-EXACT', hit: { entry: 'e', similarity: null, model: 'm', provider: 'p', deployment: 'p/m', usage: usage(10, 20), price: null, tookMs: null } }));
    expect(record).toMatchObject({ usage: { promptTokens: 10, completionTokens: 20 }, usageSource: 'cache', cacheEntry: 'e', provider: 'p', credential: null });
    expect(chargedTokens(record)).toBe(0);
  });

  test.each([
    ['saved what the original call took longer', 900, 2.4, 898],
    ['saved no time where it was no faster', 2, 5, 0],
    ['saved nobody knows how much where the original has not said how long it took', null, 2, null],
  ])('an answer from the cache %s', (_, tookMs, durationMs, savedMs) => {
    const hit = { entry: 'e', similarity: null, model: 'm', provider: 'p', deployment: 'p/m', usage: null, price: null, tookMs };
    expect(settledRecord(facts({ cache: 'HIT-SEMANTIC', hit, durationMs })).savedMs).toBe(savedMs);
    expect(settledRecord(facts({ durationMs })).savedMs).toBeNull();
  });

  test('a refused request used nothing', () => {
    const record = settledRecord(facts({ status: 429, outcome: 'error', errorCode: 'rate_limit_exceeded', servedModel: null }));
    expect(record).toMatchObject({ usage: null, usageSource: 'none', model: null, provider: null });
    expect(chargedTokens(record)).toBe(0);
  });

  test('attempts that got no answer leave no usage, and the operation no server', () => {
    expect(settledRecord(facts({ status: 502, outcome: 'error', servedModel: null, attempts: [attempt({ outcome: 'error', status: 500 })] }))).toMatchObject({ usage: null, provider: null, attempts: [{ status: 500 }] });
  });

  test('a shadow’s answer is never the client’s bill', () => {
    expect(settledRecord(facts({ attempts: [attempt({ usage: usage(1, 2), usageSource: 'upstream' }), attempt({ n: 2, shadow: true, usage: usage(5, 5), usageSource: 'upstream' })] })).usage).toEqual(usage(1, 2));
  });
});
