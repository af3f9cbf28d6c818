import { setTimeout as delay } from 'node:timers/promises';
import type { AlertMetric, AlertSettings } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import type { AlertMetrics } from '../alert-metrics.ts';
import type { RuleInForce } from '../rule.ts';
import { budgetForecastShare, budgetUsedShare } from './budgets.ts';
import { BudgetSpending } from './budget-spending.ts';
import { cacheWrongRate } from './cache-wrong-rate.ts';
import { errorRate } from './error-rate.ts';
import { KeyHours } from './key-hours.ts';
import { latency } from './latency.ts';
import { newModel, newUser } from './new-on-key.ts';
import { ledgerDrift, queueLag } from './of-the-ledger.ts';
import { credentialOut, providerDown } from './pool-trouble.ts';
import { onceEach, type OtherSources, type Reader, type ReadingContext } from './reading-context.ts';
import type { Reading } from './reading.ts';
import { costSpike, tokenSpike } from './spikes.ts';
import { UsualHours } from './usual-hours.ts';
import { unknownPrice } from './unknown-price.ts';

const READERS: Readonly<Record<AlertMetric, Reader>> = {
  budget_used_share: budgetUsedShare, budget_forecast_share: budgetForecastShare, error_rate: errorRate, latency_ms: latency, token_spike: tokenSpike, cost_spike: costSpike, cache_wrong_rate: cacheWrongRate,
  new_model: newModel, new_user: newUser, credential_out: credentialOut, provider_down: providerDown, unknown_price: unknownPrice, queue_lag_s: queueLag, ledger_drift: ledgerDrift,
};

/** One that takes longer has failed for this evaluation; what it got to know so far makes the next one shorter. */
const LONGEST_MS = 15_000;

export interface RuleReaderParts extends OtherSources {
  pool: Pool;
  metrics: Pick<AlertMetrics, 'readingFailed'>;
  logger: Pick<Logger, 'warn'>;
}

/** Reads what rules ask for. */
export class RuleReader {
  private readonly parts: RuleReaderParts;
  private readonly lasting: Pick<ReadingContext, 'spending' | 'usualHours'>;
  /** Metrics whose reading failed the last time: that is said once. */
  private readonly failing = new Set<AlertMetric>();

  constructor(parts: RuleReaderParts) {
    this.parts = parts;
    this.lasting = { spending: new BudgetSpending(parts.pool), usualHours: new UsualHours(new KeyHours(parts.pool)) };
  }

  /** Readings by rule; null for what cannot be read now. Never rejects: one that fails leaves the others alone. */
  async read(rules: readonly RuleInForce[], settings: AlertSettings, nowMs: number): Promise<Map<string, Reading[] | null>> {
    const { metrics, logger } = this.parts;
    const context: ReadingContext = { ...this.parts, ...this.lasting, settings, nowMs, once: onceEach() };
    const failed = new Map<AlertMetric, unknown>();
    const read = await Promise.all(rules.map(async (rule): Promise<[string, Reading[] | null]> => {
      const { metric } = rule.condition;
      try {
        return [rule.id, await withinTime(readingsOf(rule, context))];
      } catch (error) {
        failed.set(metric, error);
        return [rule.id, null];
      }
    }));
    for (const [metric, error] of failed) {
      metrics.readingFailed(metric);
      if (!this.failing.has(metric)) logger.warn({ err: error, metric }, 'a metric of alerts cannot be read; its alerts stay as they are');
    }
    this.failing.clear();
    for (const metric of failed.keys()) this.failing.add(metric);
    return new Map(read);
  }
}

async function readingsOf({ condition }: RuleInForce, context: ReadingContext): Promise<Reading[]> {
  const measured = await READERS[condition.metric](condition, context);
  return measured.map(({ labels, value, threshold = condition.above }) => {
    if (threshold === null && value !== null) throw new RangeError(`nothing says how much ${condition.metric} is too much`);
    return { labels, value, threshold: threshold ?? 0 };
  });
}

async function withinTime<T>(reading: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = delay(LONGEST_MS, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error(`it takes longer than ${LONGEST_MS / 1000} s`);
  });
  late.catch(() => undefined); // aborted when the reading was in time
  return await Promise.race([reading, late]).finally(() => over.abort());
}
