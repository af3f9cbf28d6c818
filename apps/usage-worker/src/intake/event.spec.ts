import { newId } from '@deja/contracts';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { readEvent } from './event.ts';

const nowMs = Date.now();
const usage = { promptTokens: 10, cachedTokens: 4, cacheWriteTokens: 0, completionTokens: 5, reasoningTokens: 1 };
const price = { version: 'v', input: 1, cachedInput: 1, cacheWrite: 1, output: 1, longContext: null };
const open = {
  kind: 'open', id: newId(), tenant: 'default', key: 'k', user: null, tags: {}, endpoint: 'chat/completions',
  requestedModel: 'm', stream: false, receivedAtMs: nowMs, estimatedPromptTokens: 7, estimatedCostNanoUsd: '1050', traceId: null,
};
const attempt = {
  id: newId(), n: 1, provider: 'p', deployment: 'p/m', credential: null, model: 'm', status: 200, outcome: 'ok', errorCode: null,
  hedge: false, shadow: false, usage, usageSource: 'upstream', price, startedAtMs: nowMs, firstByteMs: 3, durationMs: 9.5,
};
const { estimatedPromptTokens: _tokens, estimatedCostNanoUsd: _cost, ...common } = open;
const settled = {
  ...common, kind: 'settled', model: 'm', provider: 'p', deployment: 'p/m', credential: null, status: 200, outcome: 'ok', errorCode: null,
  cache: 'MISS', cacheReason: null, cacheEntry: null, cacheSimilarity: null, usage, usageSource: 'upstream', savedPrice: null,
  firstByteMs: 3, durationMs: 10, traceparent: null, attempts: [attempt], flags: [],
};

const late = { kind: 'late_attempt', operation: newId(), tenant: 'default', attempt: { ...attempt, n: 0, shadow: true } };

test('a well-formed event is read as it is, without what is not known of it', () => {
  expect(readEvent(settled, nowMs)).toEqual({ event: settled });
  expect(readEvent({ ...open, invented: 1 }, nowMs)).toEqual({ event: open });
  expect(readEvent({ ...late, invented: 1 }, nowMs)).toEqual({ event: late });
});

test('what was used besides text, and the prices of it, are read as they are; events without them are as ever', () => {
  const other = { ...usage, audioInputTokens: 1, imageInputTokens: 2, audioOutputTokens: 3, imageOutputTokens: 1, images: 4, audioSeconds: 8.47, characters: 5, serviceTier: 'flex' };
  const tier = { abovePromptTokens: 10, input: 1, cachedInput: 2, output: 3, cacheWrite: 4 };
  const rates = {
    ...price, longContext: tier, tiers: [tier, { ...tier, abovePromptTokens: 20 }], reasoning: 1, audioInput: 'text', audioOutput: 2, imageInput: 3, imageOutput: 4,
    perImage: 5, perAudioMinute: 6, perMillionCharacters: 7, perRequest: 8, serviceTiers: { batch: 0.5 }, tokenless: true,
  };
  const event = { ...settled, usage: other, attempts: [{ ...attempt, usage: other, price: rates }] };
  expect(readEvent(event, nowMs)).toEqual({ event });
  expect(readEvent({ ...event, usage: { ...other, serviceTier: 'first class' } }, nowMs)).toEqual({ rejected: expect.stringMatching(/^usage\.serviceTier: /) });
});

test.each([
  ['no object', null, 'event'],
  ['an unknown kind', { ...settled, kind: 'other' }, 'kind'],
  ['an id without a time', { ...settled, id: '3f2b8c1e-7a55-4a63-9d5e-111111111111' }, 'id'],
  ['a missing tenant', { ...settled, tenant: undefined }, 'tenant'],
  ['half a token', { ...settled, usage: { ...usage, promptTokens: 1.5 } }, 'usage.promptTokens'],
  ['negative tokens in an attempt', { ...settled, attempts: [{ ...attempt, usage: { ...usage, completionTokens: -1 } }] }, 'attempts.0.usage.completionTokens'],
  ['a price that is no number', { ...settled, attempts: [{ ...attempt, price: { ...price, input: '1' } }] }, 'attempts.0.price.input'],
  ['a settled operation that calls itself an orphan', { ...settled, outcome: 'orphaned' }, 'outcome'],
  ['an id of next month', { ...settled, id: v7({ msecs: nowMs + 31 * 86_400_000 }) }, 'id'],
  ['an id of two years ago', { ...settled, id: v7({ msecs: nowMs - 730 * 86_400_000 }) }, 'id'],
  ['a moment that is not its id\'s', { ...settled, receivedAtMs: nowMs - 3 * 86_400_000 }, 'receivedAtMs'],
  ['a settled call without a number', { ...settled, attempts: [{ ...attempt, n: 0 }] }, 'attempts.0.n'],
  ['a late call that is no shadow', { ...late, attempt: { ...late.attempt, shadow: false } }, 'attempt.shadow'],
  ['a late call of no operation', { ...late, operation: undefined }, 'operation'],
  ['a late call of an operation of next month', { ...late, operation: v7({ msecs: nowMs + 31 * 86_400_000 }) }, 'operation'],
])('an event with %s is set aside, with the field named', (_what, raw, field) => {
  expect(readEvent(raw, nowMs)).toEqual({ rejected: expect.stringMatching(new RegExp(`^${field.replaceAll('.', '\\.')}: `)) });
});

test('what a client wrote never keeps its operation out of the ledger, however long it is', () => {
  const read = readEvent({ ...settled, requestedModel: 'm'.repeat(100_000), user: 'u'.repeat(100_000), tags: { ['t'.repeat(9000)]: 'x'.repeat(9000) } }, nowMs);
  expect(read).toMatchObject({ event: { requestedModel: 'm'.repeat(4096), user: 'u'.repeat(4096), tags: { ['t'.repeat(4096)]: 'x'.repeat(4096) } } });
});

test('an opening whose estimated cost is missing, or no amount, is read as one of unknown cost', () => {
  const { estimatedCostNanoUsd: _, ...without } = open;
  const unknown = { event: { ...open, estimatedCostNanoUsd: null } };
  for (const raw of [without, { ...open, estimatedCostNanoUsd: null }, { ...open, estimatedCostNanoUsd: 7 }, { ...open, estimatedCostNanoUsd: '-1' }, { ...open, estimatedCostNanoUsd: '9'.repeat(30) }]) {
    expect(readEvent(raw, nowMs)).toEqual(unknown);
  }
});

test('whatever comes is read or set aside, and nothing throws', () => {
  fc.assert(fc.property(fc.oneof(fc.anything(), fc.record(Object.fromEntries(Object.entries(settled).map(([k, v]) => [k, fc.oneof(fc.constant(v), fc.anything())])))), (raw) => {
    const read = readEvent(raw, nowMs);
    expect('event' in read || read.rejected.length > 0).toBe(true);
  }));
});
