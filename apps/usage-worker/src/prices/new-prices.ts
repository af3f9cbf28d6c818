import type { Price, ProviderKind, Settings } from '@deja/contracts';
import { costNanoUsd, priceOf } from '@deja/pricing';
import { usageIn, type UsageColumns } from '../ledger/other-usage.ts';
import type { AttemptRow, OperationRow } from '../schema/tables.ts';

/** Prices as they are known now, of all times. */
export interface PriceBook {
  overrides: Settings['prices'];
  /** Of the providers there are, by name: what of a provider that is gone is known, only overrides say. */
  kinds: Readonly<Record<string, ProviderKind>>;
}

export interface Cost {
  price_version: string | null;
  cost_nano_usd: bigint | null;
}
/** What an operation's row says of money. */
export interface Money extends Cost {
  saved_nano_usd: bigint | null;
}

export type PricedAttempt = UsageColumns & Cost & Pick<AttemptRow, 'id' | 'provider' | 'model' | 'shadow' | 'usage_source'>;
/** An operation with its calls, in their order. */
export type PricedOperation = UsageColumns &
  Money &
  Pick<OperationRow, 'id' | 'endpoint' | 'provider' | 'deployment' | 'requested_model' | 'outcome' | 'cache'> & { received_at: string; attempts: readonly PricedAttempt[] };

/** The version of what a provider only keeps, lists or forgets: nobody has a price for that. */
const UNBILLED = 'unbilled';
/** Pictures and sounds that were cut off: their rows have an estimate of the prompt, and nobody knows how much was made. */
const UNCOUNTED = /^(images|audio)\//;

/**
 * What an operation and each of its calls cost at the prices in force when it was received. Only what differs is changed, so that a row goes on to
 * name the price that it was made with. A known cost stays where there is no price now; so does an orphan's estimate, of which nobody knows whom it
 * asked.
 */
export function moneyAt(operation: PricedOperation, book: PriceBook): { operation: Money; attempts: Cost[] } {
  const { attempts, endpoint } = operation;
  const atMs = Date.parse(operation.received_at);
  const costs = attempts.map((attempt) => {
    const isUncounted = attempt.usage_source === 'estimated' && UNCOUNTED.test(endpoint);
    return isUncounted ? costOf(attempt) : newCost(attempt, attempt, { provider: attempt.provider, upstreamModel: attempt.model, atMs }, book);
  });
  const known: Money = { ...costOf(operation), saved_nano_usd: operation.saved_nano_usd };
  if (operation.outcome === 'orphaned') return { operation: known, attempts: costs };
  const isHit = operation.cache === 'HIT-EXACT' || operation.cache === 'HIT-SEMANTIC';
  return { operation: isHit ? hitAt(operation, known, atMs, book) : { ...known, ...together(operation, costs) }, attempts: costs };
}

/** All that is known of what calls cost, as budgets count it: shadows are nobody's spending. */
export const knownCost = (attempts: readonly Pick<PricedAttempt, 'shadow'>[], costs: readonly Cost[]): bigint =>
  costs.reduce((total, { cost_nano_usd: cost }, i) => total + (attempts[i]?.shadow === false ? (cost ?? 0n) : 0n), 0n);

/** What its calls cost together, unknown as soon as one part is; at the price of the call that had the operation's. */
function together(operation: PricedOperation, costs: readonly Cost[]): Cost {
  const billed = operation.attempts.flatMap((attempt, i) => (attempt.shadow ? [] : [{ before: costOf(attempt), after: costs[i] ?? costOf(attempt) }]));
  if (billed.every(({ before, after }) => before.cost_nano_usd === after.cost_nano_usd)) return costOf(operation);
  const naming = billed.findLast(({ before }) => before.price_version !== null && before.price_version === operation.price_version) ?? billed.findLast(({ after }) => after.price_version !== null);
  const cost = billed.reduce<bigint | null>((total, { after }) => (total === null || after.cost_nano_usd === null ? null : total + after.cost_nano_usd), 0n);
  return { price_version: naming?.after.price_version ?? operation.price_version, cost_nano_usd: cost };
}

/** A hit saved a call of its deployment, `provider/model`; one for every model (`*`) is asked by the client's own name for it. */
function hitAt(operation: PricedOperation, known: Money, atMs: number, book: PriceBook): Money {
  const { provider, deployment, requested_model: requested } = operation;
  if (provider === null || deployment?.startsWith(`${provider}/`) !== true) return known;
  const named = deployment.slice(provider.length + 1);
  const saved = newCost({ price_version: operation.price_version, cost_nano_usd: operation.saved_nano_usd }, operation, { provider, upstreamModel: named === '*' ? requested : named, atMs }, book);
  return { ...known, price_version: saved.price_version, saved_nano_usd: saved.cost_nano_usd };
}

function newCost(known: Cost, row: UsageColumns, called: { provider: string; upstreamModel: string; atMs: number }, book: PriceBook): Cost {
  const usage = usageIn(row);
  // Without usage nothing depends on a price: it cost nothing, or nobody knows what.
  if (usage === null || known.price_version === UNBILLED) return costOf(known);
  const price = priceNow(called, book);
  const cost = costNanoUsd(usage, price);
  if (price === null || cost === null || cost === known.cost_nano_usd) return costOf(known);
  return { price_version: price.version, cost_nano_usd: cost };
}

function priceNow({ provider, upstreamModel, atMs }: { provider: string; upstreamModel: string; atMs: number }, { overrides, kinds }: PriceBook): Price | null {
  const kind = Object.hasOwn(kinds, provider) ? kinds[provider] : undefined;
  if (kind !== undefined) return priceOf({ provider, kind, upstreamModel, overrides, atMs });
  // The kind says which list holds. Without it only an override tells, for which any will do.
  const price = priceOf({ provider, kind: 'simulated', upstreamModel, overrides, atMs });
  return price?.version.startsWith('override:') === true ? price : null;
}

const costOf = ({ price_version, cost_nano_usd }: Cost): Cost => ({ price_version, cost_nano_usd });
