import type { Quantised, VectorMemory } from '@deja/similarity';
import { ExpiringMap } from './expiring-map.ts';
import { KeptQuestions, type KeptQuestion } from './kept-questions.ts';
import type { Worth } from './logged-answer.ts';

export interface CacheSizes {
  /** One cache for each of these. */
  ttlsS: readonly number[];
  /** Of exact caching; null: as long as semantic caching. */
  exactTtlS: number | null;
  /** Of similar questions, in each cache; the oldest make room. */
  mostQuestions: number;
}

/** What one tenant's caches hold at one moment, one cache for each TTL. */
export class TenantCaches {
  readonly #sizes: CacheSizes;
  readonly #memory: VectorMemory;
  readonly #exact: ExpiringMap<string, Worth>[];
  readonly #similar: ExpiringMap<KeptQuestion, KeptQuestions>[];
  readonly #partitions = new Map<string, KeptQuestions>();

  constructor(sizes: CacheSizes, memory: VectorMemory) {
    this.#sizes = sizes;
    this.#memory = memory;
    this.#exact = sizes.ttlsS.map((ttlS) => new ExpiringMap((sizes.exactTtlS ?? ttlS) * 1000));
    this.#similar = sizes.ttlsS.map((ttlS) => new ExpiringMap(ttlS * 1000));
  }

  /** Worth of the same question's answer in the n-th cache. */
  exact(n: number, key: string, nowMs: number): Worth | undefined {
    return this.#exact[n]?.get(key, nowMs);
  }

  /** What is kept under this fingerprint; null: nothing. */
  partition(fingerprint: string): KeptQuestions | null {
    return this.#partitions.get(fingerprint) ?? null;
  }

  keepExact(n: number, key: string, worth: Worth, nowMs: number): void {
    this.#exact[n]?.set(key, worth, nowMs);
  }

  keepSimilar(fingerprint: string, question: KeptQuestion, vector: Quantised, nowMs: number): void {
    const partition = this.#partitions.get(fingerprint) ?? new KeptQuestions(this.#memory);
    this.#partitions.set(fingerprint, partition);
    const kept = partition.add(question, vector);
    for (const [n, similar] of this.#similar.entries()) {
      if ((question.caches & (1 << n)) !== 0) similar.set(kept, partition, nowMs);
    }
    this.expire(nowMs);
  }

  /** Forgets what is too old, or too much. */
  expire(nowMs: number): void {
    for (const exact of this.#exact) exact.trim(nowMs, Infinity, () => {});
    for (const [n, similar] of this.#similar.entries()) {
      similar.trim(nowMs, this.#sizes.mostQuestions, (question, partition) => partition.drop(question, 1 << n));
    }
  }

  /** Forgets partitions with nothing in them. */
  sweep(): void {
    for (const [fingerprint, partition] of this.#partitions) if (partition.size === 0) this.#partitions.delete(fingerprint);
  }
}
