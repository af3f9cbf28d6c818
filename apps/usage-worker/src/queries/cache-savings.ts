import type { CacheSavings, UsageRpc } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { conditions, Values } from './question.ts';

/** Of UsageRpc's `cache_savings`. */
export const CACHE_SAVINGS = z.object({ tenant: z.string().min(1).max(128).nullable(), fromMs: z.int().min(0), toMs: z.int().min(0) });

const MOST_REASONS = 50;

interface FiguresRead {
  cache: 'HIT-EXACT' | 'HIT-SEMANTIC' | 'MISS' | 'BYPASS';
  reason: string | null;
  requests: string;
  saved: string;
  saved_ms: number;
}

/** What caching did in this time, as the ledger has it. */
export async function cacheSavings(client: PoolClient, { tenant, fromMs, toMs }: UsageRpc['cache_savings']['request']): Promise<CacheSavings> {
  const values = new Values();
  const where = conditions({ scope: tenant, nowMs: toMs }, {}, { fromMs, toMs }, values);
  const { rows } = await client.query<FiguresRead>(
    `select o.cache, case when o.cache in ('MISS', 'BYPASS') then o.cache_reason end as reason, count(*) as requests,
       coalesce(sum(o.saved_nano_usd), 0)::text as saved, coalesce(sum(o.saved_ms), 0) as saved_ms
     from usage.operations o where ${where} and o.cache is not null group by 1, 2 order by count(*) desc, 1, 2`,
    values.all,
  );
  const hits = (cache: FiguresRead['cache']): FiguresRead[] => rows.filter((row) => row.cache === cache);
  const total = (some: readonly FiguresRead[]): number => some.reduce((sum, { requests }) => sum + Number(requests), 0);
  const [exact, semantic] = [hits('HIT-EXACT'), hits('HIT-SEMANTIC')];
  return {
    requests: total([...exact, ...semantic, ...hits('MISS')]),
    hitsExact: total(exact),
    hitsSemantic: total(semantic),
    savedNanoUsd: String([...exact, ...semantic].reduce((sum, { saved }) => sum + BigInt(saved), 0n)),
    savedMs: [...exact, ...semantic].reduce((sum, row) => sum + row.saved_ms, 0),
    reasons: rows.flatMap(({ cache, reason, requests }) => (cache === 'MISS' || cache === 'BYPASS' ? [{ cache, reason, requests: Number(requests) }] : [])).slice(0, MOST_REASONS),
  };
}
