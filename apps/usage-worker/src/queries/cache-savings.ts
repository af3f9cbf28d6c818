import type { CacheOutcome, CacheSavings, UsageRpc } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { Values } from './question.ts';
import { addedUp, type FiguresRead } from './sums/figures.ts';
import { summed } from './sums/summed.ts';

/** Of UsageRpc's `cache_savings`. */
export const CACHE_SAVINGS = z.object({ tenant: z.string().min(1).max(128).nullable(), fromMs: z.int().min(0), toMs: z.int().min(0) });

const MOST_REASONS = 50;

/** What caching did in this time, as the ledger has it. */
export async function cacheSavings(client: PoolClient, { tenant, fromMs, toMs }: UsageRpc['cache_savings']['request']): Promise<CacheSavings> {
  const values = new Values();
  const facts = await summed(client, { scope: tenant, nowMs: toMs }, { columns: ['cache', 'cache_reason'], filters: {}, span: { fromMs, toMs }, zone: 'UTC', latency: false }, values);
  const { rows } = await client.query<FiguresRead>(
    `select array[g1, g2]::text[] as groups, ${addedUp(false)} from (${facts}) facts where g1 is not null group by g1, g2 order by sum(requests) desc, g1, g2`,
    values.all,
  );
  const read = rows.map(({ groups, requests, saved, saved_ms }) => ({ cache: groups[0] as CacheOutcome, reason: groups[1] ?? null, requests, saved: BigInt(saved), savedMs: saved_ms }));
  const total = (cache: CacheOutcome): number => read.reduce((sum, row) => sum + (row.cache === cache ? row.requests : 0), 0);
  const hits = read.filter(({ cache }) => cache === 'HIT-EXACT' || cache === 'HIT-SEMANTIC');
  const [hitsExact, hitsSemantic] = [total('HIT-EXACT'), total('HIT-SEMANTIC')];
  return {
    requests: hitsExact + hitsSemantic + total('MISS'),
    hitsExact,
    hitsSemantic,
    savedNanoUsd: String(hits.reduce((sum, { saved }) => sum + saved, 0n)),
    savedMs: hits.reduce((sum, { savedMs }) => sum + savedMs, 0),
    reasons: read.flatMap(({ cache, reason, requests }) => (cache === 'MISS' || cache === 'BYPASS' ? [{ cache, reason, requests }] : [])).slice(0, MOST_REASONS),
  };
}
