import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import type { BudgetState, Ceiling } from './ask.ts';
import { LimitMetrics } from './limit-metrics.ts';
import type { RefusedBy } from './shard-verdict.ts';

let telemetry: Telemetry;
let metrics: LimitMetrics;
beforeEach(() => {
  telemetry = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
  metrics = new LimitMetrics(telemetry.meter);
});
afterEach(() => telemetry.shutdown());

const counts = async (): Promise<string[]> => (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('deja_gateway_limits_refused_total{'));
const ceiling: Ceiling = { scope: 'key', model: 'gpt-4o', counter: 'deja:limits:{acme}:key:key-4f1c', limits: { requests_per_minute: 1 }, degraded: 'open' };
const byBudget = { budget: { budget: { scope: 'tenant', model: null, account: { key: 'account-1' } }, spentNanoUsd: 1n, heldNanoUsd: 0n } as unknown as BudgetState } satisfies RefusedBy;

describe('limits that refuse', () => {
  test('are all there from the beginning, at 0', async () => {
    const lines = await counts();
    expect(lines).toHaveLength(4 * 6);
    for (const line of lines) expect(line).toMatch(/^deja_gateway_limits_refused_total\{scope="(global|tenant|key|user)",limit="(requests_per_minute|tokens_per_minute|requests_per_day|tokens_per_day|concurrency|budget)"\} 0$/);
  });

  test('are counted by whose they are and what they limit, without the key, the tenant or the model', async () => {
    metrics.refused({ ceiling, measure: 'requests_per_minute' });
    metrics.refused({ ceiling, measure: 'requests_per_minute' });
    metrics.refused(byBudget);
    expect((await counts()).filter((line) => !line.endsWith(' 0'))).toEqual([
      'deja_gateway_limits_refused_total{scope="tenant",limit="budget"} 1',
      'deja_gateway_limits_refused_total{scope="key",limit="requests_per_minute"} 2',
    ]);
    const text = await telemetry.metricsText();
    for (const word of ['key-4f1c', 'acme', 'account-1', 'gpt-4o']) expect(text).not.toContain(word);
  });
});
