import type { BodyOf, QueryOf } from '@deja/admin-api';
import { newId, type AdminChange, type AuditedChange, type CacheSavings, type Invalidation, type RouterRpc, type SemanticCacheEvents, type SemanticCacheRpc } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { OperationCall } from '../src/admin/operation-call.ts';
import { CacheAdmin, type CacheAdminParts } from '../src/cache/cache-admin.ts';
import { Invalidations } from '../src/cache/invalidations.ts';
import { changeOf, meter, quiet } from './cache-stage.ts';

/** When figures are asked for, Unix ms. */
export const NOW_MS = Date.UTC(2026, 2, 31, 12);
export const NO_SAVINGS: CacheSavings = { requests: 0, hitsExact: 0, hitsSemantic: 0, savedNanoUsd: '0', savedMs: 0, reasons: [] };

/** The cache in the admin API over a Redis, and what other apps heard of it. */
export class CacheAdminStage {
  /** Of the last one that was made. */
  invalidations: Invalidations;
  audited: AuditedChange[] = [];
  told: Invalidation[] = [];
  heard: SemanticCacheEvents['feedback'][] = [];
  /** What the semantic-cache was asked, and what it answers: all of its entries that a bound of number lets through. */
  asked: SemanticCacheRpc['similar']['request'][] = [];
  similar: SemanticCacheRpc['similar']['reply']['entries'] = [];
  /** What the router keeps by idempotency key. */
  private readonly outcomes = new Map<string, unknown>();

  constructor(private readonly redis: RedisClient) {
    this.invalidations = new Invalidations({ redis, logger: quiet });
  }

  admin({ cache = this.redis, ...parts }: Partial<CacheAdminParts> = {}): CacheAdmin {
    this.invalidations = new Invalidations({ redis: cache, logger: quiet });
    return new CacheAdmin({
      cache, invalidations: this.invalidations, meter, logger: quiet, now: () => NOW_MS,
      audit: async (change) => this.audit(change),
      announce: async (rule) => void this.told.push(rule),
      tellFeedback: async (feedback) => void this.heard.push(feedback),
      askSavings: async () => NO_SAVINGS,
      askWrongRates: async () => ({ rates: [] }),
      askSimilar: async (request) => {
        this.asked.push(request);
        return { entries: this.similar.slice(0, request.limit), tooMany: this.similar.length > request.limit };
      },
      ...parts,
    });
  }

  private audit(change: AuditedChange): RouterRpc['audit']['reply'] {
    this.audited.push(change);
    const key = change.change.idempotency?.key ?? newId();
    const replayed = this.outcomes.has(key);
    if (!replayed) this.outcomes.set(key, JSON.parse(JSON.stringify(change.outcome)));
    return { outcome: this.outcomes.get(key), replayed };
  }
}

export type By = Parameters<typeof changeOf>[0];

export const call = <B>(body: B, by: By = {}, idempotency: AdminChange['idempotency'] = null): OperationCall<null, B> => ({ params: {}, query: null, body, sent: { query: null, body }, change: changeOf(by, idempotency) });

/** A call that takes answers back, with what its schema adds to what was sent. */
export const takeBack = (sent: Partial<BodyOf<'invalidateCache'>> = {}, by?: By, idempotency?: AdminChange['idempotency']): OperationCall<null, BodyOf<'invalidateCache'>> =>
  ({ ...call({ min_similarity: 0.8, dry_run: false, ...sent }, by, idempotency), sent: { query: null, body: sent } });

export const asked = (query: QueryOf<'cacheStats'>, by: By = {}): OperationCall<QueryOf<'cacheStats'>, null> => ({ params: {}, query, body: null, sent: { query, body: null }, change: changeOf(by) });
