import { cacheEntryKey, newId, type SemanticCacheEvents, type SemanticPartition } from '@deja/contracts';
import { isUp } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { Redis } from 'ioredis';
import type { Answer } from '../attempt/attempts.ts';
import { isComplete, isStorable } from '../chat/completion.ts';
import type { Operation } from '../chat/operation.ts';
import type { CacheWishes } from './directives.ts';
import { decodeEntry, encodeEntry, type CacheEntry } from './entry.ts';

/** Beyond this an answer is not kept: it would cost more memory than it is likely to save money. */
const MAX_ENTRY_BYTES = 1024 * 1024;

/** Tells the semantic-cache of an answer that may serve similar questions. */
export type AnnounceAnswer = (event: SemanticCacheEvents['store']) => Promise<void>;

/** Cached answers in Redis. Its failures are misses, never errors. */
export class AnswerStore {
  constructor(
    private readonly redis: Redis,
    private readonly announce: AnnounceAnswer,
    private readonly logger: Pick<Logger, 'warn'>,
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

  /** Keeps an answer that ended cleanly: for the same question, and if the whole of it is known, for similar ones. */
  async keep(operation: Operation, place: { wishes: CacheWishes; tenant: string; exactKey: string | null; partition: SemanticPartition | null; text: string }, answer: Answer): Promise<void> {
    const completion = answer.kind === 'whole' ? answer.completion : answer.stream.assembler.completion();
    const { wishes, tenant, exactKey, partition } = place;
    if (!wishes.write || !isStorable(completion) || !isUp(this.redis)) return;
    const body = answer.kind === 'whole' ? answer.body : Buffer.from(JSON.stringify(completion));
    if (body.length > MAX_ENTRY_BYTES) return;
    const attempt = operation.attempts.at(-1);
    const id = newId();
    const value = encodeEntry({
      meta: {
        v: 1,
        id,
        createdAtMs: Date.now(),
        model: answer.candidate.model,
        provider: answer.candidate.deployment.provider,
        deployment: answer.candidate.deployment.id,
        usage: attempt?.usage ?? null,
        price: attempt?.price ?? null,
      },
      body,
    });
    try {
      const exact = exactKey === null ? null : this.redis.set(exactKey, value, 'EX', wishes.exactTtlS);
      if (partition === null || !isComplete(completion)) return void (await exact);
      await Promise.all([exact, this.redis.set(cacheEntryKey(tenant, id), value, 'EX', wishes.semanticTtlS)]);
      await this.announce({ ...partition, text: place.text, entry: id, expiresAtMs: Date.now() + wishes.semanticTtlS * 1000 });
    } catch (error) {
      this.logger.warn({ err: error, request_id: operation.id }, 'an answer could not be kept');
    }
  }
}
