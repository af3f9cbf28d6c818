import { usdText } from '@deja/contracts';
import type { BadLine, BadLines } from './bad-lines.ts';
import type { MergedPair } from './merged-pairs.ts';
import type { Replay, ReplaySettings } from './replay.ts';
import { Tally } from './tally.ts';

/** What one cache would have done. Shares in [0, 1]; null where there is nothing to take a share of. */
export interface SimulatedCache {
  requests: number;
  eligible: number;
  exact_hits: number;
  semantic_hits: number;
  exact_hit_rate: number | null;
  semantic_hit_rate: number | null;
  saved_tokens: number;
  saved_usd: string;
  /** Of all requests whose cost is known. */
  cost_usd: string;
  saved_s: number;
  /** Hits of which nobody knows what they save. */
  uncounted_hits: number;
  unpriced_hits: number;
  untimed_hits: number;
  /** Why requests were no hits, by `x-cache-reason`. */
  reasons: Record<string, number>;
  /** Share of the semantic hits that is wrong, by the shipped calibration: expected, and at most. */
  estimated_wrong: number | null;
  estimated_wrong_high: number | null;
}

export interface SimulationReport {
  object: 'cache_simulation';
  requests: number;
  bad_lines: { count: number; first: BadLine[] };
  /** Requests whose time is before that of one before them: they count as asked at the same time as that one. */
  out_of_order: number;
  without_time: number;
  from: string | null;
  to: string | null;
  scope: string;
  verification: string;
  /** Neural verifier; null: words decided alone. */
  verifier: string | null;
  max_wrong_rate: number;
  exact_ttl_s: number | null;
  ttls: (SimulatedCache & { ttl_s: number; tenants: (SimulatedCache & { tenant: string })[] })[];
  merged_pairs: number;
  /** The riskiest of them, first. */
  pairs: { a: string; b: string; kind: string; similarity: number; explanation: string; tenant: string; lines: [number, number]; wrong: number }[];
}

export function simulationReport({ settings, verifier, replay, bad, merged, pairs }: {
  settings: ReplaySettings; verifier: string | null; replay: Replay; bad: BadLines; merged: number; pairs: readonly MergedPair[];
}): SimulationReport {
  const tenants = [...replay.tenants].sort(([x], [y]) => (x < y ? -1 : 1));
  return {
    object: 'cache_simulation',
    requests: replay.requests,
    bad_lines: { count: bad.count, first: bad.first },
    out_of_order: replay.outOfOrder,
    without_time: replay.withoutTime,
    from: momentText(replay.firstMs),
    to: momentText(replay.lastMs),
    scope: settings.scope,
    verification: settings.verification,
    verifier,
    max_wrong_rate: settings.maxWrongRate,
    exact_ttl_s: settings.exactTtlS,
    ttls: settings.ttlsS.map((ttlS, n) => {
      const each = tenants.flatMap(([tenant, { tallies }]) => (tallies[n] === undefined ? [] : [{ tenant, tally: tallies[n] }]));
      return { ttl_s: ttlS, ...simulatedCache(Tally.of(each.map(({ tally }) => tally))), tenants: each.map(({ tenant, tally }) => ({ tenant, ...simulatedCache(tally) })) };
    }),
    merged_pairs: merged,
    pairs: pairs.map(({ similarity, wrong, ...pair }) => ({ ...pair, similarity: rounded(similarity), wrong: rounded(wrong) })),
  };
}

function simulatedCache(tally: Tally): SimulatedCache {
  const share = (part: number, of: number): number | null => (of === 0 ? null : rounded(part / of));
  return {
    requests: tally.requests,
    eligible: tally.eligible,
    exact_hits: tally.exactHits,
    semantic_hits: tally.semanticHits,
    exact_hit_rate: share(tally.exactHits, tally.requests),
    semantic_hit_rate: share(tally.semanticHits, tally.requests),
    saved_tokens: tally.savedTokens,
    saved_usd: usdText(tally.savedNanoUsd),
    cost_usd: usdText(tally.costNanoUsd),
    saved_s: Math.round(tally.savedMs) / 1000,
    uncounted_hits: tally.uncounted,
    unpriced_hits: tally.unpriced,
    untimed_hits: tally.untimed,
    reasons: Object.fromEntries([...tally.reasons].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))),
    estimated_wrong: share(tally.expectedWrong, tally.semanticHits),
    estimated_wrong_high: share(tally.mostWrong, tally.semanticHits),
  };
}

const momentText = (ms: number | null): string | null => (ms === null || Math.abs(ms) > 8.64e15 ? null : new Date(ms).toISOString());
const rounded = (share: number): number => Math.round(share * 1e6) / 1e6;
