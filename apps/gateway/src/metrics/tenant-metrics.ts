import type { Meter } from '@opentelemetry/api';
import { BoundedLabel } from '@deja/telemetry';
import type { Operation } from '../operation/operation.ts';
import { usd } from './money-metrics.ts';
import { Tally } from './tally.ts';

/** Tenants by name, the first so many; all others are one. What their own requests cost: calls beside them are nobody's spending. */
export class TenantMetrics {
  private readonly tenants: BoundedLabel;
  private readonly requests: Tally;
  private readonly tokens: Tally;
  private readonly cost: Tally;
  private readonly saved: Tally;

  /** `max` is more than 0. */
  constructor(meter: Meter, max: number) {
    this.tenants = new BoundedLabel(max);
    this.requests = new Tally(meter, { name: 'deja.gateway.tenant.requests', description: 'Requests of a tenant by outcome and cache', labels: ['tenant', 'outcome', 'cache'] });
    this.tokens = new Tally(meter, { name: 'deja.gateway.tenant.tokens', description: 'Tokens bought for a tenant, by direction', labels: ['tenant', 'direction'] });
    this.cost = new Tally(meter, { name: 'deja.gateway.tenant.cost_usd', description: 'US dollars that the requests of a tenant are known to have cost', labels: ['tenant'] });
    this.saved = new Tally(meter, { name: 'deja.gateway.tenant.saved_usd', description: 'US dollars that answers from the cache did not cost a tenant again', labels: ['tenant'] });
  }

  /** A request whose client is known. */
  count({ principal, outcome, cache, attempts }: Pick<Operation, 'principal' | 'outcome' | 'cache' | 'attempts'>, { costNanoUsd, savedNanoUsd }: { costNanoUsd: bigint; savedNanoUsd: bigint }): void {
    if (principal === null) return;
    const tenant = this.tenants.of(principal.tenant);
    this.requests.add(1, tenant, outcome, cache ?? 'none');
    this.cost.add(usd(costNanoUsd), tenant);
    this.saved.add(usd(savedNanoUsd), tenant);
    for (const { usage, shadow } of attempts) {
      if (usage === null || shadow) continue;
      this.tokens.add(usage.promptTokens, tenant, 'input');
      this.tokens.add(usage.completionTokens, tenant, 'output');
    }
  }
}
