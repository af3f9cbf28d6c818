import { createHash } from 'node:crypto';
import type { ContextRates, Price, PriceOverride, ProviderKind, Settings } from '@deja/contracts';
import type { Row, Tier } from './csv.ts';
import { listed, type ModelLists } from './model-lists.ts';
import { PRICE_TABLE_VERSION, PRICES } from './price-table.ts';

/** A price, and from when on it holds, Unix ms. */
interface DatedPrice {
  fromMs: number;
  price: Price;
}

const TABLE: ModelLists<readonly DatedPrice[]> = new Map(Object.entries(PRICES).map(([provider, rows]) => [provider, datedPrices(rows)]));
const NOTHING = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null, audioInput: 0, audioOutput: 0, imageInput: 0, imageOutput: 0 };
const FREE: Price = Object.freeze({ version: 'simulated', ...NOTHING, serviceTiers: Object.freeze({ batch: 1, flex: 1, priority: 1 }) });
/** OpenAI's moderation endpoint is free of charge (OpenAI documentation, "Moderation"), so its models stand in no list of prices. */
const FREE_MODERATION: Price = Object.freeze({ ...FREE, version: 'openai-moderation' });
const MODERATION_MODEL = /^(omni|text)-moderation-/;
/** Overrides keep their identity as long as their snapshot lives: one price object each is made once. */
const fromOverride = new WeakMap<PriceOverride, Price>();

/**
 * The price of an upstream model at a moment (Unix ms), or null when nobody told: never a guess. An override of `provider/model` goes before
 * one of `model`, and both before the shipped table; one that does not hold yet is not there. In the table a dated snapshot that has no row of
 * its own has the price of its model. A simulated provider is known to cost nothing, and so are OpenAI's moderations.
 */
export function priceOf(o: { provider: string; kind: ProviderKind; upstreamModel: string; overrides: Settings['prices']; atMs: number }): Price | null {
  const override = overridden(o.overrides, `${o.provider}/${o.upstreamModel}`, o.atMs) ?? overridden(o.overrides, o.upstreamModel, o.atMs);
  if (override) return override;
  if (o.kind === 'simulated') return FREE;
  if (o.kind === 'openai' && MODERATION_MODEL.test(o.upstreamModel)) return FREE_MODERATION;
  return listed(TABLE, o)?.findLast(({ fromMs }) => fromMs <= o.atMs)?.price ?? null;
}

function overridden(overrides: Settings['prices'], name: string, atMs: number): Price | null {
  if (!Object.hasOwn(overrides, name)) return null;
  const own = overrides[name];
  if (own === undefined) return null;
  const override = isList(own) ? own.findLast((one) => holds(one, atMs)) : holds(own, atMs) ? own : undefined;
  if (override === undefined) return null;
  const known = fromOverride.get(override);
  if (known) return known;
  const hash = createHash('sha256').update(JSON.stringify(override)).digest('hex').slice(0, 8);
  const { validFromMs: _, ...rates } = override;
  const price: Price = Object.freeze({ ...rates, version: `override:${name}-${hash}` });
  fromOverride.set(override, price);
  return price;
}

const isList = (own: Settings['prices'][string]): own is readonly PriceOverride[] => Array.isArray(own);
const holds = ({ validFromMs }: PriceOverride, atMs: number): boolean => validFromMs === undefined || validFromMs <= atMs;

function datedPrices(rows: readonly Row[]): Map<string, DatedPrice[]> {
  const prices = new Map<string, DatedPrice[]>();
  for (const row of rows) {
    const from = row[6]?.from;
    const dated = { fromMs: from === undefined ? -Infinity : Date.parse(from), price: priceFrom(row) };
    prices.set(row[0], [...(prices.get(row[0]) ?? []), dated]);
  }
  return prices;
}

/** Where a list names no rate for cached tokens there is no discount. */
function priceFrom([, input, output, cacheRead, cacheWrite, tier, more = {}]: Row): Price {
  const { from: _, tiers, ...others } = more;
  return Object.freeze({
    version: PRICE_TABLE_VERSION,
    input,
    cachedInput: cacheRead ?? input,
    cacheWrite: cacheWrite ?? input,
    output,
    longContext: tier && contextRates(tier),
    ...(tiers !== undefined && { tiers: tiers.map(contextRates) }),
    ...others,
  });
}

function contextRates([abovePromptTokens, input, output, cacheRead]: Tier): ContextRates {
  return { abovePromptTokens, input, cachedInput: cacheRead ?? input, output };
}
