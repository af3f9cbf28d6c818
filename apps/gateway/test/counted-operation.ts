import { newId, type AttemptRecord, type Price, type Usage } from '@deja/contracts';
import type { Operation } from '../src/operation/operation.ts';

/** Dollars as nano-USD per million tokens: 1 USD per million in, 2 USD out. */
export const PRICE: Price = { version: 'test', input: 1_000_000_000, cachedInput: 1_000_000_000, cacheWrite: 1_000_000_000, output: 2_000_000_000, longContext: null };

export const usage = (promptTokens: number, completionTokens: number): Usage => ({ promptTokens, completionTokens, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 });

/** A call of gpt-4o that went well: 1000 tokens in and 500 out for 0.002 USD. */
export function attempt(over: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    id: newId(), n: 1, provider: 'openai', deployment: 'openai/gpt-4o', credential: 'openai/main', model: 'gpt-4o', status: 200, outcome: 'ok', errorCode: null, hedge: false, shadow: false,
    usage: usage(1000, 500), usageSource: 'upstream', price: PRICE, startedAtMs: 0, firstByteMs: 200, durationMs: 1500, ...over,
  };
}

/** What settlement reads of a request for figures. */
export function counted(over: Partial<Record<keyof Operation, unknown>> & { tenant?: string } = {}): Operation {
  const { tenant = 'acme', ...rest } = over;
  return {
    endpoint: 'chat/completions', outcome: 'ok', cache: 'MISS', status: 200, errorCode: null, elapsedMs: 1700, firstByteMs: 210, hit: null, attempts: [attempt()],
    principal: { tenant, key: 'key-4f1c' }, user: 'user-7d2e', requestedModel: 'gpt-4o',
    stages: new Map([['auth', 1], ['plan', 0.25], ['upstream', 203]]),
    ...rest,
  } as unknown as Operation;
}

/** The original of an answer from the cache. */
export const hitOf = (over: object = {}): unknown => ({ meta: { id: 'e', model: 'smart', provider: 'openai', deployment: 'openai/gpt-4o', usage: usage(1000, 500), price: PRICE, ...over }, similarity: null });
