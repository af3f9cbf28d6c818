import { metrics, trace } from '@opentelemetry/api';
import { parseConfig } from '@deja/config';
import { cacheEntryKey, exactKey, newId, type AdminActor, type AdminChange, type Candidate, type Invalidation, type Principal, type SemanticSettings, type Settings } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { CachePlace } from '../src/cache/answer-store.ts';
import { encodeEntry, type EntryMeta } from '../src/cache/entry.ts';
import type { QuestionPlace } from '../src/cache/question-place.ts';
import { Operation } from '../src/operation/operation.ts';

/** What the specs of cached answers stand on. */
export const meter = metrics.getMeter('test');
export const quiet = { info: () => undefined, warn: () => undefined, debug: () => undefined };

export const invalidation = (more: Partial<Invalidation> = {}): Invalidation => ({ id: newId(), tenant: 'acme', model: null, tag: null, entry: null, beforeMs: 2000, madeAtMs: 2000, ...more });

export const metaOf = (more: Partial<EntryMeta> = {}): EntryMeta => ({ v: 1, id: newId(), createdAtMs: 1000, model: 'm', provider: 'p', deployment: 'p/m', usage: null, price: null, ...more });

export interface KeptAt {
  tenant?: string;
  /** Also under its id, for similar questions. */
  similar?: boolean;
  /** Only so. */
  exact?: boolean;
  body?: string;
}

let made = 0;

/** Writes an answer as settlement does; returns what is known of it and where it is. */
export async function keep(redis: RedisClient, facts: Partial<EntryMeta> = {}, { tenant = 'acme', similar = false, exact = true, body = '{}' }: KeptAt = {}): Promise<{ meta: EntryMeta; keys: string[] }> {
  const meta = metaOf(facts);
  const keys = [...(exact ? [exactKey(tenant, `h${(made += 1)}`)] : []), ...(similar ? [cacheEntryKey(tenant, meta.id)] : [])];
  for (const key of keys) await redis.set(key, encodeEntry({ meta, body: Buffer.from(body) }), 'EX', 600);
  return { meta, keys };
}

/** Which of these keys are there. */
export async function remaining(redis: RedisClient, keys: readonly string[]): Promise<string[]> {
  const there = await Promise.all(keys.map((key) => redis.exists(key)));
  return keys.filter((_, i) => there[i] === 1);
}

export const place = (more: Partial<CachePlace> = {}): CachePlace => ({
  wishes: { exact: true, semantic: true, read: true, write: true, oldestS: { exact: 300, semantic: 3600 }, onlyIfCached: false, exactTtlS: 300, semanticTtlS: 3600, bypass: null },
  tenant: 'acme', exactKey: exactKey('acme', 'hash'), partition: { tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64) }, text: 'What is the capital of France?', rules: '', ...more,
});

export function operation(requestedModel: string, tags: Record<string, string> = {}): Operation {
  const made = new Operation('chat/completions', {}, trace.getTracer('test').startSpan('test'));
  made.requestedModel = requestedModel;
  made.principal = { tags } as Principal;
  return made;
}

export const candidate = (model: string): Candidate => ({ model, deployment: { id: `p/${model}`, provider: 'p' }, credential: null, upstreamModel: model }) as unknown as Candidate;

export const changeOf = (by: Partial<AdminActor> = {}, idempotency: AdminChange['idempotency'] = null): AdminChange => ({
  by: { id: 'root', name: 'root', role: 'owner', tenant: null, from: null, requestId: 'r', ...by }, ifMatch: null, idempotency,
});

/** Settings as they are without a file. */
export const settings = (): Settings => {
  const parsed = parseConfig(null, { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
  if (!parsed.ok) throw new Error('there are no defaults');
  return parsed.config.settings;
};

export const cachePolicy = (semantic: Partial<SemanticSettings> = {}, more: Partial<Settings['cache']> = {}): Settings['cache'] => {
  const { cache } = settings();
  return { ...cache, ...more, semantic: { ...cache.semantic, ...semantic } };
};

export const questionPlace = (more: Partial<QuestionPlace> = {}): QuestionPlace => ({ ...place(), model: 'm', policy: cachePolicy(), cache: 'MISS', reason: null, ...more });
