import { newId, type AttemptRecord, type OperationRecord, type Price } from '@deja/contracts';
import { orphanedRows, settledRows } from './rows.ts';

const usage = { promptTokens: 1_000_000, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
const price = (nanoUsd: number): Price => ({ version: `v${nanoUsd}`, input: nanoUsd, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null });
const attempt = (over: Partial<AttemptRecord> = {}): AttemptRecord => ({
  id: newId(), n: 1, provider: 'p', deployment: 'p/m', credential: 'p/a', model: 'm', status: 200, outcome: 'ok', errorCode: null, hedge: false, shadow: false,
  usage, usageSource: 'upstream', price: price(7), startedAtMs: 0, firstByteMs: 1, durationMs: 2, ...over,
});
const record = (over: Partial<OperationRecord> = {}): OperationRecord => ({
  kind: 'settled', id: newId(), tenant: 't', key: 'k', user: 'u', tags: { team: 'a' }, endpoint: 'chat/completions', requestedModel: 'r', model: 'm', provider: 'p', deployment: 'p/m',
  credential: 'p/a', status: 200, outcome: 'ok', errorCode: null, cache: 'MISS', cacheReason: 'no entry', cacheEntry: null, cacheSimilarity: null, stream: true, usage, usageSource: 'upstream',
  savedPrice: null, receivedAtMs: 1_764_000_000_000, firstByteMs: 1, durationMs: 2, traceId: null, traceparent: null, attempts: [attempt()], flags: [], ...over,
});
const money = (over: Partial<OperationRecord>) => {
  const { cost_nano_usd, saved_nano_usd, price_version } = settledRows(record(over)).operation;
  return { cost_nano_usd, saved_nano_usd, price_version };
};

test('an operation costs what its calls cost together, whichever of them served', () => {
  const attempts = [attempt({ price: price(3) }), attempt({ n: 2, hedge: true, outcome: 'cancelled', usageSource: 'estimated', price: price(5) })];
  expect(money({ attempts })).toEqual({ cost_nano_usd: 8n, saved_nano_usd: 0n, price_version: 'v5' });
});

test('a call that failed without usage cost nothing, also when its price is unknown', () => {
  expect(money({ attempts: [attempt({ status: 429, outcome: 'error', usage: null, usageSource: 'none', price: null }), attempt({ n: 2 })] }).cost_nano_usd).toBe(7n);
});

test('a cost is unknown, never 0, as soon as one part of it is', () => {
  expect(money({ attempts: [attempt(), attempt({ n: 2, price: null })] }).cost_nano_usd).toBeNull();
  expect(money({ attempts: [attempt({ usage: null, usageSource: 'none' })] }).cost_nano_usd).toBeNull();
});

test('pictures, sound and service tiers stand in the row and are billed; what of it has no rate makes the cost unknown', () => {
  const used = { ...usage, audioInputTokens: 500_000, serviceTier: 'batch' as const };
  const priced = { ...price(4), audioInput: 100, serviceTiers: { batch: 0.5 } };
  const rows = settledRows(record({ usage: used, attempts: [attempt({ usage: used, price: priced })] }));
  expect(rows.operation).toMatchObject({ cost_nano_usd: 26n, other_usage: { audio_input_tokens: 500_000, service_tier: 'batch' } });
  expect(rows.attempts[0]?.other_usage).toEqual({ audio_input_tokens: 500_000, service_tier: 'batch' });
  expect(money({ attempts: [attempt({ usage: { ...usage, images: 1 } })] }).cost_nano_usd).toBeNull();
  expect(settledRows(record()).operation.other_usage).toBeNull();
});

test('a shadow call has its own cost, which the operation does not bear', () => {
  const rows = settledRows(record({ attempts: [attempt(), attempt({ n: 2, shadow: true, price: price(100) })] }));
  expect(rows.operation.cost_nano_usd).toBe(7n);
  expect(rows.attempts[1]?.cost_nano_usd).toBe(100n);
});

test('a hit costs nothing and saved what the call would have cost; an unknown price makes the saving unknown', () => {
  const hit = { cache: 'HIT-EXACT' as const, usageSource: 'cache' as const, attempts: [] };
  expect(money({ ...hit, savedPrice: price(9) })).toEqual({ cost_nano_usd: 0n, saved_nano_usd: 9n, price_version: 'v9' });
  expect(money(hit)).toEqual({ cost_nano_usd: 0n, saved_nano_usd: null, price_version: null });
});

test('what was refused before any call cost nothing and saved nothing', () => {
  expect(money({ outcome: 'blocked', status: 403, usage: null, usageSource: 'none', cache: null, attempts: [] })).toEqual({ cost_nano_usd: 0n, saved_nano_usd: 0n, price_version: null });
});

test('budgets count what is known of a cost, also where the whole is unknown', () => {
  const rows = settledRows(record({ attempts: [attempt(), attempt({ n: 2, price: null }), attempt({ n: 3, usage: null, usageSource: 'none' }), attempt({ n: 4, shadow: true, price: price(100) })] }));
  expect(rows.operation.cost_nano_usd).toBeNull();
  expect(rows.spentNanoUsd).toBe(7n);
});

const open = { kind: 'open' as const, id: newId(), tenant: 't', key: null, user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'r', stream: false, receivedAtMs: 1_764_000_000_000, estimatedPromptTokens: 12, traceId: null };

test('an orphan is accepted, unsettled and of the cost of its prompt', () => {
  const { operation, attempts, spentNanoUsd } = orphanedRows({ ...open, estimatedCostNanoUsd: '1800' });
  expect(operation).toMatchObject({ outcome: 'orphaned', status: null, prompt_tokens: 12, completion_tokens: null, usage_source: 'estimated', cost_nano_usd: 1800n, saved_nano_usd: null, received_at: '2025-11-24T16:00:00.000Z' });
  expect(attempts).toEqual([]);
  expect(spentNanoUsd).toBe(1800n);
});

test('an orphan whose price was unknown is of unknown cost, and budgets count nothing for it', () => {
  for (const one of [open, { ...open, estimatedCostNanoUsd: null }]) expect(orphanedRows(one)).toMatchObject({ operation: { cost_nano_usd: null }, spentNanoUsd: 0n });
});
