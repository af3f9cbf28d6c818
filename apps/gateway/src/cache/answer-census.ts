import type { RedisClient } from '@deja/redis';
import { cacheEntryKey, type CachedAnswer } from '@deja/contracts';
import { answerKeys, bytesAt, metasOf, type AnswerKey } from './answer-scan.ts';
import { cachedAnswer } from './entry.ts';

/** A count goes on for so many steps and so long at most: of a cache of millions it is told in part. */
const MOST_STEPS = 400;
const MOST_MS = 1500;

export interface CensusOptions {
  mostSteps?: number;
  /** Milliseconds by a clock that never steps. */
  now?: () => number;
}

export interface Holdings {
  exactEntries: number;
  semanticEntries: number;
  bytes: number;
  /** There is more than was looked at. */
  partial: boolean;
}

/** Counts what the cache holds. Rejects when Redis cannot be asked. */
export class AnswerCensus {
  private readonly mostSteps: number;
  private readonly now: () => number;

  constructor(
    private readonly cache: RedisClient,
    { mostSteps = MOST_STEPS, now = () => performance.now() }: CensusOptions = {},
  ) {
    this.mostSteps = mostSteps;
    this.now = now;
  }

  /** @param tenant null: of all tenants */
  async holdings(tenant: string | null): Promise<Holdings> {
    const seen = { exact: new Set<string>(), entry: new Set<string>() };
    let bytes = 0;
    const partial = await this.each(tenant, async (keys) => {
      const fresh = keys.filter(({ key, kind }) => !seen[kind].has(key));
      for (const { key, kind } of fresh) seen[kind].add(key);
      for (const size of await bytesAt(this.cache, fresh)) bytes += size;
    });
    return { exactEntries: seen.exact.size, semanticEntries: seen.entry.size, bytes, partial };
  }

  /** How many answers this is said of; one that is kept in two places is one. */
  async count(tenant: string | null, isMeant: (answer: CachedAnswer) => boolean): Promise<{ entries: number; partial: boolean }> {
    const ids = new Set<string>();
    const partial = await this.each(tenant, async (keys) => {
      for (const answer of await this.answersAt(keys)) if (isMeant(answer)) ids.add(answer.entry);
    });
    return { entries: ids.size, partial };
  }

  /** The answer of this id. null: there is none; undefined: it is none of those that were looked at, and there are more. */
  async find(entry: string, tenant: string | null): Promise<CachedAnswer | null | undefined> {
    const isMeant = (answer: CachedAnswer): boolean => answer.entry === entry;
    let found = tenant === null ? undefined : (await this.answersAt([{ key: cacheEntryKey(tenant, entry), tenant, kind: 'entry' }])).find(isMeant);
    if (found !== undefined) return found;
    const partial = await this.each(tenant, async (keys) => {
      found = (await this.answersAt(keys)).find(isMeant);
      return found !== undefined;
    });
    return found ?? (partial ? undefined : null);
  }

  /** Whether there was more. `look` says that it has seen enough by true. */
  private async each(tenant: string | null, look: (keys: AnswerKey[]) => Promise<boolean | void>): Promise<boolean> {
    const untilMs = this.now() + MOST_MS;
    let steps = 0;
    for await (const keys of answerKeys(this.cache, tenant)) {
      if (steps === this.mostSteps || this.now() > untilMs) return true;
      steps += 1;
      if (await look(keys)) return false;
    }
    return false;
  }

  private async answersAt(keys: AnswerKey[]): Promise<CachedAnswer[]> {
    const metas = await metasOf(this.cache, keys);
    return keys.flatMap(({ tenant }, i) => {
      const meta = metas[i];
      return meta == null ? [] : [cachedAnswer(tenant, meta)];
    });
  }
}
