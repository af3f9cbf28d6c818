import { isInScope } from './scope.ts';
import type { Reader } from './reading-context.ts';

/** Best estimate of the share of a tenant's and model's semantic answers that are wrong, in [0, 1]. Its threshold is what deja.yaml allows, unless the condition has one. */
export const cacheWrongRate: Reader = async (condition, { snapshot, wrongRates, once }) => {
  const rates = await once('wrong rates', wrongRates);
  const allowed = snapshot()?.settings.cache.semantic;
  if (condition.above === null && allowed === undefined) throw new Error('no routing snapshot was published yet');
  return rates.map(({ tenant, model, observations, rate }) => {
    const threshold = condition.above ?? (allowed && Object.hasOwn(allowed.max_wrong_rates, model) ? allowed.max_wrong_rates[model] : allowed?.max_wrong_rate) ?? 0;
    return { labels: { tenant, model }, value: observations < condition.minRequests ? null : rate, threshold };
  }).filter(({ labels }) => isInScope(labels, condition.scope));
};
