import { cacheEntryKey, newId, type Candidate, type SemanticCacheEvents, type SemanticPartition } from '@deja/contracts';
import { isUp } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { ChainableCommander, Redis } from 'ioredis';
import type { KeptReply } from '../attempt/exchange.ts';
import type { Operation } from '../operation/operation.ts';
import type { CacheWishes } from './directives.ts';
import { decodeEntry, encodeEntry, type CacheEntry, type KeptAnswer } from './entry.ts';

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
  /** Names the content rules that answers are held to: one kept under other rules is not served. */
  rules: string;
}

/** Tells the semantic-cache of an answer that may serve similar questions. */
export type AnnounceAnswer = (event: SemanticCacheEvents['store']) => Promise<void>;

/** Cached answers in Redis. Its failures are misses, never errors. */
export class AnswerStore {
  constructor(
    readonly redis: Redis,
    private readonly announce: AnnounceAnswer,
    private readonly logger: Pick<Logger, 'debug'>,
  ) {}

  async read(key: string): Promise<Buffer | null> {
    return isUp(this.redis) ? await this.redis.getBuffer(key).catch(() => null) : null; // an outage is a miss
  }

  /** The entry, if it is one, was held to today's content rules and is young enough for this request. */
  usable(value: Buffer | null, { wishes, rules }: Pick<CachePlace, 'wishes' | 'rules'>): CacheEntry | null {
    const entry = value === null ? null : decodeEntry(value);
    if (entry === null || (entry.meta.rules ?? '') !== rules) return null;
    const ageS = (Date.now() - entry.meta.createdAtMs) / 1000;
    return wishes.maxAgeS === null || ageS <= wishes.maxAgeS ? entry : null;
  }

  /** What to keep of an answer that ended cleanly: for the same question, and if the whole of it is known, for similar ones. Empty when nothing may be kept. */
  prepare(operation: Operation, place: CachePlace, { model, deployment }: Candidate, reply: KeptReply | null): KeptAnswer[] {
    const { wishes, tenant, exactKey, partition, text } = place;
    if (!wishes.write || reply === null || !reply.storable || reply.body.length > MAX_ENTRY_BYTES) return [];
    const attempt = operation.servingAttempt;
    const id = newId();
    const meta = { v: 1 as const, id, rules: place.rules, createdAtMs: Date.now(), model, provider: deployment.provider, deployment: deployment.id, usage: attempt?.usage ?? null, price: attempt?.price ?? null };
    const ttlS = wishes.semanticTtlS;
    const exact = exactKey === null ? null : { key: exactKey, ttlS: wishes.exactTtlS };
    const expiresAtMs = Date.now() + ttlS * 1000;
    const similar = partition === null || !reply.complete ? null : { key: cacheEntryKey(tenant, id), ttlS, event: { ...partition, text, entry: id, expiresAtMs } };
    return exact === null && similar === null ? [] : [{ value: encodeEntry({ meta, body: reply.body }), exact, similar }];
  }

  /** Adds the writing of an answer to a pipeline on this store's Redis. */
  queue(pipeline: ChainableCommander, { value, exact, similar }: KeptAnswer): void {
    for (const place of [exact, similar]) if (place !== null) pipeline.set(place.key, value, 'EX', place.ttlS);
  }

  /** Tells the semantic-cache of an answer that was written. Never rejects. */
  async written({ similar }: KeptAnswer): Promise<void> {
    if (similar === null) return;
    await this.announce(similar.event).catch((error: unknown) => this.logger.debug({ err: error, entry: similar.event.entry }, 'the semantic-cache could not be told of an answer'));
  }
}
