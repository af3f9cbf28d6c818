import type { QueryOf, ReplyOf } from '@deja/admin-api';
import { DejaError, usdText, type CacheSavings, type SemanticCacheRpc, type UsageRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { AnswerCensus } from './answer-census.ts';

type Stats = ReplyOf<'cacheStats'>;

/** Unix ms; `toMs` is exclusive. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

export interface FigureSources {
  /** What caching saved, by the ledger. Rejects when the usage-worker does not say in time. */
  askSavings: (request: UsageRpc['cache_savings']['request']) => Promise<CacheSavings>;
  /** How often semantic answers were wrong. Rejects when the semantic-cache does not say in time. */
  askWrongRates: (request: SemanticCacheRpc['wrong_rates']['request']) => Promise<SemanticCacheRpc['wrong_rates']['reply']>;
  logger: Pick<Logger, 'info'>;
}

/** As far back as questions about the ledger go that do not say so (docs/admin.md). */
const USUAL_MS = 30 * 86_400_000;

/** `GET cache/stats`: what is held, what it saved, and how often it was wrong, each from whoever knows. */
export class CacheFigures {
  private readonly census: AnswerCensus;
  private readonly sources: FigureSources;

  constructor(census: AnswerCensus, sources: FigureSources) {
    this.census = census;
    this.sources = sources;
  }

  /**
   * Asks all three at once. Rejects when Redis cannot be asked; what the others do not say is null.
   * @param tenant null: of all tenants
   */
  async stats(tenant: string | null, span: TimeSpan): Promise<Stats> {
    const { askSavings, askWrongRates } = this.sources;
    const [holdings, savings, wrongRates] = await Promise.all([
      this.census.holdings(tenant),
      this.unlessAway('usage-worker', askSavings({ tenant, ...span })),
      this.unlessAway('semantic-cache', askWrongRates({ tenant })),
    ]);
    const { exactEntries, semanticEntries, bytes, partial } = holdings;
    return {
      object: 'cache_stats', tenant, exact_entries: exactEntries, semantic_entries: semanticEntries, bytes, partial,
      savings: savings && savingsShown(savings, span),
      wrong_rates: wrongRates && wrongRates.rates,
    };
  }

  private async unlessAway<T>(app: string, figures: Promise<T>): Promise<T | null> {
    try {
      return await figures;
    } catch (error) {
      this.sources.logger.info({ err: error, app }, 'figures of the cache are told without those of an app that does not answer');
      return null;
    }
  }
}

/** The time that is asked about: until now and 30 days long, where the query does not say so. Throws a 400 for one that ends before it begins. */
export function spanOf({ from, to }: Pick<QueryOf<'cacheStats'>, 'from' | 'to'>, nowMs: number): TimeSpan {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  const fromMs = from === undefined ? toMs - USUAL_MS : Date.parse(from);
  if (fromMs > toMs) throw new DejaError('invalid_value', `Invalid value for 'from': it lies after ${to === undefined ? 'now' : "'to'"}.`, { param: 'from' });
  return { fromMs: Math.max(0, fromMs), toMs: Math.max(0, toMs) };
}

export function savingsShown({ requests, hitsExact, hitsSemantic, savedNanoUsd, savedMs, reasons }: CacheSavings, { fromMs, toMs }: TimeSpan): NonNullable<Stats['savings']> {
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    requests,
    hits_exact: hitsExact,
    hits_semantic: hitsSemantic,
    hit_rate: requests === 0 ? 0 : (hitsExact + hitsSemantic) / requests,
    saved_usd: usdText(BigInt(savedNanoUsd)),
    saved_seconds: Math.round(savedMs) / 1000,
    reasons,
  };
}
