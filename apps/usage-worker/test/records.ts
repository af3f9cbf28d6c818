import { newId, type AttemptRecord, type LateAttempt, type OpenOperation, type OperationRecord } from '@deja/contracts';

const usage = { promptTokens: 1000, cachedTokens: 400, cacheWriteTokens: 0, completionTokens: 500, reasoningTokens: 200 };
const price = { version: '2026-06-30-test', input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null };

export const attemptRecord = (over: Partial<AttemptRecord> = {}): AttemptRecord => ({
  id: newId(), n: 1, provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: 'openai/a', model: 'gpt-4o-mini', status: 200, outcome: 'ok', errorCode: null, hedge: false, shadow: false,
  usage, usageSource: 'upstream', price, startedAtMs: Date.now(), firstByteMs: 120.5, durationMs: 800, ...over,
});

/** A shadow's call, told of by itself; it cost 420,000 nano-USD. */
export const lateAttempt = (operation: string, over: Partial<AttemptRecord> = {}): LateAttempt => ({
  kind: 'late_attempt', operation, tenant: 'default', attempt: attemptRecord({ n: 0, shadow: true, deployment: 'openai/gpt-4.1', model: 'gpt-4.1', ...over }),
});

/** A settled chat completion that cost 420,000 nano-USD. */
export const operationRecord = (over: Partial<OperationRecord> = {}): OperationRecord => ({
  kind: 'settled', id: newId(), tenant: 'default', key: 'key-1', user: 'ann', tags: { team: 'search' }, endpoint: 'chat/completions', requestedModel: 'gpt-4o-mini', model: 'gpt-4o-mini',
  provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: 'openai/a', status: 200, outcome: 'ok', errorCode: null, cache: 'MISS', cacheReason: 'no_entry', cacheEntry: null,
  cacheSimilarity: null, stream: false, usage, usageSource: 'upstream', savedPrice: null, receivedAtMs: Date.now(), firstByteMs: 121, durationMs: 801.25,
  traceId: '0af7651916cd43dd8448eb211c80319c', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', attempts: [attemptRecord()], flags: ['email'], ...over,
});

export const openOperation = (of: Partial<OpenOperation> = {}): OpenOperation => ({
  kind: 'open', id: newId(), tenant: 'default', key: 'key-1', user: null, tags: {}, endpoint: 'chat/completions', requestedModel: 'gpt-4o-mini', stream: true, receivedAtMs: Date.now(),
  estimatedPromptTokens: 12, traceId: null, ...of,
});
