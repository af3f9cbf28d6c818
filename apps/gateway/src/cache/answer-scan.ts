import { cacheEntryKey, exactKey } from '@deja/contracts';
import { nodesOf, openPipeline, type PipelineReply, type RedisClient } from '@deja/redis';
import { decodeMeta, type EntryMeta } from './entry.ts';

/** Where an answer is kept: for the same question, or by its id for similar ones. */
export interface AnswerKey {
  key: string;
  tenant: string;
  kind: 'exact' | 'entry';
}

/** Keys that one step looks at. */
const STEP_KEYS = 500;
const ANSWER_KEY = /^deja:cache:\{([^{}]*)\}:(exact|entry):/;
/** Nearly all of what is known of an answer is shorter than the first; none is longer than the second. */
const HEAD_BYTES = [1024, 65_536] as const;

/**
 * Goes through all keys of answers, a step at a time; steps may be empty, and a key may come twice. What is there from start to end comes.
 * On a cluster all masters are gone through. Rejects when one of them is away.
 * @param tenant null: of all tenants
 */
export async function* answerKeys(cache: RedisClient, tenant: string | null): AsyncGenerator<AnswerKey[]> {
  for (const node of nodesOf(cache)) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', patternOf(tenant), 'COUNT', STEP_KEYS);
      cursor = next;
      yield keys.flatMap((key) => answerKeyIn(key) ?? []);
    } while (cursor !== '0');
  }
}

/** What is known of the answers at these keys; null where there is none any more, or what is there is none. */
export async function metasOf(cache: RedisClient, keys: readonly AnswerKey[]): Promise<(EntryMeta | null)[]> {
  const metas = (await headsOf(cache, keys, HEAD_BYTES[0])).map(decodeMeta);
  const long = keys.filter((_, i) => metas[i] === null);
  if (long.length === 0) return metas;
  const longMetas = (await headsOf(cache, long, HEAD_BYTES[1])).map(decodeMeta);
  const byKey = new Map(long.map(({ key }, i) => [key, longMetas[i] ?? null]));
  return metas.map((meta, i) => meta ?? byKey.get(keys[i]?.key ?? '') ?? null);
}

/** How many bytes lie at each of these keys. */
export async function bytesAt(cache: RedisClient, keys: readonly AnswerKey[]): Promise<number[]> {
  const pipeline = openPipeline(cache);
  for (const { key } of keys) pipeline.strlen(key);
  return valuesOf(await pipeline.exec()) as number[];
}

/** Deletes what is at these keys, without Redis waiting for its memory. */
export async function unlink(cache: RedisClient, keys: readonly AnswerKey[]): Promise<void> {
  const pipeline = openPipeline(cache);
  for (const { key } of keys) pipeline.unlink(key);
  valuesOf(await pipeline.exec());
}

/** null for a key that is not an answer's. */
export function answerKeyIn(key: string): AnswerKey | null {
  const [, tenant, kind] = ANSWER_KEY.exec(key) ?? [];
  return tenant === undefined ? null : { key, tenant, kind: kind === 'exact' ? 'exact' : 'entry' };
}

/** As Redis's MATCH takes it: braces stand for themselves. */
const patternOf = (tenant: string | null): string => commonStart(exactKey(tenant ?? '*', ''), cacheEntryKey(tenant ?? '*', '')) + '*';

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

async function headsOf(cache: RedisClient, keys: readonly AnswerKey[], bytes: number): Promise<Buffer[]> {
  const pipeline = openPipeline(cache);
  for (const { key } of keys) pipeline.getrangeBuffer(key, 0, bytes - 1);
  return valuesOf(await pipeline.exec()) as Buffer[];
}

/** Throws the first error among them: half an answer would be taken for a whole one. */
function valuesOf(replies: PipelineReply[] | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}
