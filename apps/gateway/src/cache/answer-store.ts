import { cacheEntryKey, newId, type SemanticCacheEvents, type SemanticPartition } from '@deja/contracts';
import { isUp } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { ChainableCommander, Redis } from 'ioredis';
import type { Answer } from '../attempt/attempts.ts';
import { isComplete, isStorable } from '../chat/completion.ts';
import type { Operation } from '../chat/operation.ts';
import type { CacheWishes } from './directives.ts';
import { decodeEntry, encodeEntry, type CacheEntry } from './entry.ts';

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
}

/** Tells the semantic-cache of an answer that may serve similar questions. */
export type AnnounceAnswer = (event: SemanticCacheEvents['store']) => Promise<void>;

/** An answer that may be kept, ready to be written. */
export interface KeptAnswer {
  value: Buffer;
  exact: { key: string; ttlS: number } | null;
  /** Where it may serve similar questions. */
  similar: { key: string; ttlS: number; event: SemanticCacheEvents['store'] } | null;
}

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

  /** The entry, if it is one and young enough for this request. */
  usable(value: Buffer | null, wishes: CacheWishes): CacheEntry | null {
    const entry = value === null ? null : decodeEntry(value);
    if (entry === null) return null;
    const ageS = (Date.now() - entry.meta.createdAtMs) / 1000;
    return wishes.maxAgeS === null || ageS <= wishes.maxAgeS ? entry : null;
  }

  /** What to keep of an answer that ended cleanly: for the same question, and if the whole of it is known, for similar ones. null when nothing may be kept. */
  prepare(operation: Operation, place: CachePlace, answer: Answer): KeptAnswer | null {
    const completion = answer.kind === 'whole' ? answer.completion : answer.stream.assembler.completion();
    const { wishes, tenant, exactKey, partition, text } = place;
    if (!wishes.write || !isStorable(completion)) return null;
    const body = answer.kind === 'whole' ? answer.body : Buffer.from(JSON.stringify(completion));
    if (body.length > MAX_ENTRY_BYTES) return null;
    const attempt = operation.attempts.at(-1);
    const id = newId();
    const { model, deployment } = answer.candidate;
    const meta = { v: 1 as const, id, createdAtMs: Date.now(), model, provider: deployment.provider, deployment: deployment.id, usage: attempt?.usage ?? null, price: attempt?.price ?? null };
    const ttlS = wishes.semanticTtlS;
    return {
      value: encodeEntry({ meta, body }),
      exact: exactKey === null ? null : { key: exactKey, ttlS: wishes.exactTtlS },
      similar: partition === null || !isComplete(completion) ? null : { key: cacheEntryKey(tenant, id), ttlS, event: { ...partition, text, entry: id, expiresAtMs: Date.now() + ttlS * 1000 } },
    };
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
