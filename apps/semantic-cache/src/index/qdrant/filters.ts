import type { Invalidation, SemanticPartition } from '@deja/contracts';
import type { Schemas } from '@qdrant/js-client-rest';
import type { PointPayload } from './payload.ts';

export type Filter = Schemas['Filter'];
type Condition = Schemas['Condition'];
type Field = Extract<keyof PointPayload, string>;

const equals = (key: Field, value: string): Condition => ({ key, match: { value } });
const below = (key: Field, value: number): Condition => ({ key, range: { lt: value } });
const atMost = (key: Field, value: number): Condition => ({ key, range: { lte: value } });

/**
 * Entries of one partition that are not over. Said as "none that is over", because Qdrant looks that up in its index, of which the sweeps keep few, while
 * "later than now" is asked of each point: with 10,000 in a partition it took 3.6 ms in place of 6 (1.19.0). What has no time, and so passes, is dropped
 * as unreadable.
 */
export const livePartition = ({ tenant, scope, fingerprint }: SemanticPartition, nowMs: number): Filter => ({
  must: [equals('tenant', tenant), equals('scope', scope), equals('fingerprint', fingerprint)],
  must_not: [atMost('expires_at', nowMs)],
});

/** Entries of a tenant (null: of all) that are not over. */
export const live = (tenant: string | null, nowMs: number): Filter => ({
  must: tenant === null ? [] : [equals('tenant', tenant)],
  must_not: [atMost('expires_at', nowMs)],
});

export const ofTenant = (tenant: string): Filter => ({ must: [equals('tenant', tenant)] });

export const over = (nowMs: number): Filter => ({ must: [atMost('expires_at', nowMs)] });

/** What `covers` of libs/contracts says, as a filter. It has a condition in any case: that of age. */
export function covered({ tenant, model, tag, entry, beforeMs }: Invalidation): Filter {
  return {
    must: [
      atMost('created_at', beforeMs),
      ...(tenant === null ? [] : [equals('tenant', tenant)]),
      ...(model === null ? [] : [equals('models', model)]),
      ...(tag === null ? [] : [equals('tags', tag)]),
      ...(entry === null ? [] : [equals('entry', entry)]),
    ],
  };
}

/**
 * Older answers to the same words in the same partition as one of these points. "Older" is an order that every replica sees alike (when the answer
 * was made, then when it was added), so of two replicas that write at once neither takes away the newest: whatever comes last, that one stays.
 */
export function superseded(points: readonly { id: string; payload: PointPayload }[]): Filter {
  return {
    should: points.map(({ id, payload: { words, created_at: createdAt, added_at: addedAt } }): Filter => ({
      must: [equals('words', words), { should: [below('created_at', createdAt), { must: [atMost('created_at', createdAt), below('added_at', addedAt)] }] }],
      // An answer that was there already keeps the time of its first coming.
      must_not: [{ has_id: [id] }],
    })),
  };
}

/** Qdrant takes a filter without conditions for "everything", so a delete goes through here. Throws a TypeError where there is none. */
export function guarded(filter: Filter): Filter {
  const conditions = [filter.must, filter.should].flat().filter((condition) => condition !== null && condition !== undefined);
  if (conditions.length === 0) throw new TypeError('a delete needs a condition');
  return filter;
}
