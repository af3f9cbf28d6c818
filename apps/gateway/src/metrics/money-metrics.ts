import type { Meter } from '@opentelemetry/api';
import type { AttemptRecord } from '@deja/contracts';
import { costNanoUsd } from '@deja/pricing';
import type { Operation } from '../operation/operation.ts';
import type { ModelLabel } from './model-label.ts';
import { Tally } from './tally.ts';

const NANO = 1e9;

/** Dollars as metrics have them: floating point. The ledger has the exact sums. */
export const usd = (nanoUsd: bigint): number => Number(nanoUsd) / NANO;

/** What is bought upstream and what the cache saves, in dollars at the prices of the ledger. */
export class MoneyMetrics {
  private readonly cost: Tally;
  private readonly savings: Tally;
  private readonly unpriced: Tally;
  private readonly models: ModelLabel;

  constructor(meter: Meter, models: ModelLabel) {
    this.models = models;
    const labels = ['provider', 'model'];
    this.cost = new Tally(meter, { name: 'deja.gateway.cost_usd', description: 'US dollars of all calls to providers whose price is known, those beside requests included', labels });
    this.savings = new Tally(meter, { name: 'deja.gateway.saved_usd', description: 'US dollars that answers from the cache did not cost again', labels: ['how', 'model'] });
    this.unpriced = new Tally(meter, { name: 'deja.gateway.unpriced_attempts', description: 'Calls to providers whose cost is unknown: no price, no rate for what was used, or no usage told', labels });
  }

  /** Counts one call and returns what it cost, nano-USD; null where that is not known. */
  bought(attempt: AttemptRecord): bigint | null {
    const cost = attemptCostNanoUsd(attempt);
    if (cost === null) this.unpriced.add(1, attempt.provider, this.models.of(attempt));
    else if (cost > 0n) this.cost.add(usd(cost), attempt.provider, this.models.of(attempt));
    return cost;
  }

  /** Counts what an answer from the cache saved and returns it, nano-USD; 0 for one that was bought or whose price is unknown. */
  saved({ hit, cache }: Pick<Operation, 'hit' | 'cache'>): bigint {
    if (hit === null || (cache !== 'HIT-EXACT' && cache !== 'HIT-SEMANTIC') || hit.meta.usage === null) return 0n;
    const saved = costNanoUsd(hit.meta.usage, hit.meta.price) ?? 0n;
    if (saved > 0n) this.savings.add(usd(saved), cache === 'HIT-EXACT' ? 'exact' : 'semantic', this.models.ofAnswer(hit.meta));
    return saved;
  }
}

/** As the ledger has it: a call that failed without any usage bought nothing; one that went well without telling its usage cost nobody knows what. */
function attemptCostNanoUsd({ usage, outcome, price }: AttemptRecord): bigint | null {
  if (usage === null) return outcome === 'ok' ? null : 0n;
  return costNanoUsd(usage, price);
}
