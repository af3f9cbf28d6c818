import { cacheEntryKey, countedModel, newId, type Candidate, type SemanticCacheEvents, type SemanticPartition, type Usage } from '@deja/contracts';
import { isUp, type Pipeline, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { KeptReply } from '../attempt/exchange.ts';
import type { Operation } from '../operation/operation.ts';
import type { BuyVector } from './entry.ts';
import type { CacheWishes } from './directives.ts';
import { cachedAnswer, decodeEntry, encodeEntry, factsOf, type CacheEntry, type EntryMeta, type KeptAnswer } from './entry.ts';
import type { Invalidations } from './invalidations.ts';

/** Beyond this an answer is not kept: it would cost more memory than it is likely to save money. */
const MAX_ENTRY_BYTES = 1024 * 1024;

/** Where the answer to a request may be found and kept. */
export interface CachePlace {
  wishes: CacheWishes;
  tenant: string;
  exactKey: string | null;
  partition: SemanticPartition | null;
  /** The last user turn. */
  text: string;
  /** How to have its vector; absent where the semantic-cache embeds by itself. */
  vector?: BuyVector | undefined;
  /** Names the content rules that answers are held to: one kept under other rules is not served. */
  rules: string;
}

/** A usable entry, or why there is none, as `x-cache-reason` says it. */
export type Looked = { entry: CacheEntry } | { reason: 'no_entry' | 'invalidated' | 'cache_unavailable' };

/** Tells the semantic-cache of an answer that may serve similar questions. */
export type AnnounceAnswer = (event: SemanticCacheEvents['store']) => Promise<void>;

/** Cached answers in Redis. Its failures are misses, never errors. */
export class AnswerStore {
  constructor(
    readonly redis: RedisClient,
    private readonly invalidations: Pick<Invalidations, 'areCurrent' | 'covers' | 'nowMs'>,
    private readonly announce: AnnounceAnswer,
    private readonly logger: Pick<Logger, 'debug'>,
  ) {}

  async read(key: string): Promise<Buffer | null> {
    return isUp(this.redis) ? await this.redis.getBuffer(key).catch(() => null) : null; // an outage is a miss
  }

  /** The entry, if it is one, was not taken back, was held to today's content rules and is young enough for this request. */
  look(value: Buffer | null, kind: 'exact' | 'semantic', { wishes, tenant, rules }: Pick<CachePlace, 'wishes' | 'tenant' | 'rules'>): Looked {
    const entry = value === null ? null : decodeEntry(value);
    if (entry === null || (entry.meta.rules ?? '') !== rules) return { reason: 'no_entry' };
    // An answer may have been taken back in the meantime.
    if (!this.invalidations.areCurrent) return { reason: 'cache_unavailable' };
    if (this.invalidations.covers(cachedAnswer(tenant, entry.meta))) return { reason: 'invalidated' };
    const ageS = ((this.invalidations.nowMs() ?? Date.now()) - entry.meta.createdAtMs) / 1000;
    return ageS <= wishes.oldestS[kind] ? { entry } : { reason: 'no_entry' };
  }

  /** The entry at the place of the same question, where it may be served. */
  usable(value: Buffer | null, place: Pick<CachePlace, 'wishes' | 'tenant' | 'rules'>): CacheEntry | null {
    const looked = this.look(value, 'exact', place);
    return 'entry' in looked ? looked.entry : null;
  }

  /** What is to be known of an answer that is made now. null where nobody can tell what time it is for invalidations: then it is not to be kept. */
  metaOf(operation: Operation, { rules }: Pick<CachePlace, 'rules'>, { model, deployment }: Pick<Candidate, 'model' | 'deployment'>, usage: Usage | null): EntryMeta | null {
    const createdAtMs = this.invalidations.nowMs();
    if (createdAtMs === null) return null;
    const asked = countedModel(operation.requestedModel);
    const { tags } = operation;
    return {
      v: 1, id: newId(), rules, createdAtMs, model, provider: deployment.provider, deployment: deployment.id, usage, price: operation.servingAttempt?.price ?? null, tookMs: Math.round(operation.elapsedMs),
      ...(asked !== model && { asked }),
      ...(Object.keys(tags).length > 0 && { tags }),
    };
  }

  /** What to keep of an answer that ended cleanly: for the same question, and if the whole of it is known, for similar ones. Empty when nothing may be kept. `begun`: what was told of it when it began. */
  prepare(operation: Operation, place: CachePlace, candidate: Candidate, reply: KeptReply | null, begun: EntryMeta | null = null): KeptAnswer[] {
    const { wishes, tenant, exactKey, partition, text, vector } = place;
    if (!wishes.write || reply === null || !reply.storable || reply.body.length > MAX_ENTRY_BYTES) return [];
    const ended = this.metaOf(operation, place, candidate, operation.servingAttempt?.usage ?? null);
    if (ended === null) return [];
    const meta = begun === null ? ended : { ...ended, id: begun.id, createdAtMs: begun.createdAtMs };
    const { id } = meta;
    const ttlS = wishes.semanticTtlS;
    const exact = exactKey === null ? null : { key: exactKey, ttlS: wishes.exactTtlS };
    const expiresAtMs = Date.now() + ttlS * 1000;
    // What content safety found something in, in the prompt or in the answer, is nothing for other questions.
    const shared = partition !== null && reply.complete && operation.flags.size === 0;
    const similar = !shared ? null : { key: cacheEntryKey(tenant, id), ttlS, event: { ...partition, text, entry: id, expiresAtMs, made: factsOf(meta), bytes: reply.body.length }, ...(vector && { vector }) };
    return exact === null && similar === null ? [] : [{ value: encodeEntry({ meta, body: reply.body }), exact, similar }];
  }

  /** Adds the writing of an answer to a pipeline on this store's Redis. */
  queue(pipeline: Pipeline, { value, exact, similar }: KeptAnswer): void {
    for (const place of [exact, similar]) if (place !== null) pipeline.set(place.key, value, 'EX', place.ttlS);
  }

  /** Tells the semantic-cache of an answer that was written. Never rejects, and waits for no vector that has to be bought: settlement has more to do. */
  async written({ similar }: KeptAnswer): Promise<void> {
    if (similar === null) return;
    const { event, vector: buy } = similar;
    if (buy === undefined) return this.told(event);
    void buy().then((vector) => (vector === null ? undefined : this.told({ ...event, vector }))); // without a vector nobody could find it
  }

  private async told(event: SemanticCacheEvents['store']): Promise<void> {
    await this.announce(event).catch((error: unknown) => this.logger.debug({ err: error, entry: event.entry }, 'the semantic-cache could not be told of an answer'));
  }
}
