import { createHash } from 'node:crypto';
import type { Price, ProviderKind, Settings } from '@deja/contracts';
import type { Row } from './csv.ts';
import { listed, type ModelLists } from './model-lists.ts';
import { PRICE_TABLE_VERSION, PRICES } from './price-table.ts';

type Override = Settings['prices'][string];

const TABLE: ModelLists<Price> = new Map(Object.entries(PRICES).map(([provider, rows]) => [provider, new Map(rows.map((row) => [row[0], priceFrom(row)]))]));
const FREE: Price = Object.freeze({ version: 'simulated', input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null });
/** OpenAI's moderation endpoint is free of charge (OpenAI documentation, "Moderation"), so its models stand in no list of prices. */
const FREE_MODERATION: Price = Object.freeze({ ...FREE, version: 'openai-moderation' });
const MODERATION_MODEL = /^(omni|text)-moderation-/;
/** Overrides keep their identity as long as their snapshot lives: one price object each is made once. */
const fromOverride = new WeakMap<Override, Price>();

/**
 * The price of an upstream model, or null when nobody told: never a guess. An override of `provider/model` goes before one
 * of `model`, and both before the shipped table. In the table a dated snapshot that has no row of its own has the price of
 * its model. A simulated provider is known to cost nothing, and so are OpenAI's moderations.
 */
export function priceOf(o: { provider: string; kind: ProviderKind; upstreamModel: string; overrides: Settings['prices'] }): Price | null {
  const override = overridden(o.overrides, `${o.provider}/${o.upstreamModel}`) ?? overridden(o.overrides, o.upstreamModel);
  if (override) return override;
  if (o.kind === 'simulated') return FREE;
  if (o.kind === 'openai' && MODERATION_MODEL.test(o.upstreamModel)) return FREE_MODERATION;
  return listed(TABLE, o);
}

function overridden(overrides: Settings['prices'], name: string): Price | null {
  if (!Object.hasOwn(overrides, name)) return null;
  const override = overrides[name];
  if (!override) return null;
  const known = fromOverride.get(override);
  if (known) return known;
  const hash = createHash('sha256').update(JSON.stringify(override)).digest('hex').slice(0, 8);
  const price: Price = Object.freeze({ ...override, version: `override:${name}-${hash}` });
  fromOverride.set(override, price);
  return price;
}

/** Where a list names no rate for cached tokens there is no discount. */
function priceFrom([, input, output, cacheRead, cacheWrite, tier]: Row): Price {
  return Object.freeze({
    version: PRICE_TABLE_VERSION,
    input,
    cachedInput: cacheRead ?? input,
    cacheWrite: cacheWrite ?? input,
    output,
    longContext: tier && { abovePromptTokens: tier[0], input: tier[1], cachedInput: tier[3] ?? tier[1], output: tier[2] },
  });
}
