import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { costNanoUsd } from '@deja/pricing';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { attempt, counted, hitOf, PRICE, usage } from '../../test/counted-operation.ts';
import { GatewayMetrics } from './metrics.ts';

let telemetry: Telemetry;
beforeEach(() => {
  telemetry = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
});
afterEach(() => telemetry.shutdown());

const made = (tenants?: number): GatewayMetrics => new GatewayMetrics(telemetry.meter, tenants === undefined ? {} : { tenants });

/** Lines of one metric, without comments. */
async function series(name: string): Promise<string[]> {
  return (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe('a request that was counted', () => {
  test('stands in every figure under the names and labels that are documented', async () => {
    const metrics = made();
    metrics.count(counted());
    const text = await telemetry.metricsText();
    for (const line of [
      'deja_gateway_requests_total{endpoint="chat/completions",outcome="ok",cache="MISS",status="200",error="none"} 1',
      'deja_gateway_request_duration_count{endpoint="chat/completions",outcome="ok",cache="MISS"} 1',
      'deja_gateway_request_duration_sum{endpoint="chat/completions",outcome="ok",cache="MISS"} 1.7',
      'deja_gateway_first_byte_duration_sum{endpoint="chat/completions",outcome="ok",cache="MISS"} 0.21',
      'deja_gateway_attempts_total{deployment="openai/gpt-4o",outcome="ok",error="none"} 1',
      'deja_gateway_tokens_total{direction="input",deployment="openai/gpt-4o"} 1000',
      'deja_gateway_tokens_total{direction="output",deployment="openai/gpt-4o"} 500',
      'deja_gateway_stage_duration_sum{stage="auth"} 0.001',
      'deja_gateway_stage_duration_sum{stage="plan"} 0.00025',
      'deja_gateway_stage_duration_sum{stage="upstream"} 0.203',
      'deja_gateway_added_duration_sum{endpoint="chat/completions",cache="MISS"} 0.007',
      'deja_gateway_added_duration_bucket{endpoint="chat/completions",cache="MISS",le="0.0075"} 1',
      'deja_gateway_cost_usd_total{provider="openai",model="gpt-4o"} 0.002',
      'deja_gateway_tenant_requests_total{tenant="acme",outcome="ok",cache="MISS"} 1',
      'deja_gateway_tenant_tokens_total{tenant="acme",direction="input"} 1000',
      'deja_gateway_tenant_tokens_total{tenant="acme",direction="output"} 500',
      'deja_gateway_tenant_cost_usd_total{tenant="acme"} 0.002',
      'deja_gateway_tenant_saved_usd_total{tenant="acme"} 0',
      'deja_gateway_in_flight 0',
    ]) expect(text.split('\n')).toContain(line);
    expect(text).toContain('# TYPE deja_gateway_requests_total counter');
    expect(text).toContain('# TYPE deja_gateway_cost_usd_total counter');
    expect(text).toContain('# TYPE deja_gateway_stage_duration histogram');
    expect(text).toContain('# TYPE deja_gateway_in_flight gauge');
  });

  test('tells nothing of its key, its user, its credential, or the model as the client spelled it', async () => {
    const metrics = made();
    metrics.count(counted({ requestedModel: 'as-the-client-said', attempts: [attempt({ credential: 'openai/secret-name' })] }));
    const text = await telemetry.metricsText();
    for (const word of ['key-4f1c', 'user-7d2e', 'secret-name', 'as-the-client-said']) expect(text).not.toContain(word);
  });

  test('without a known client is nobody’s', async () => {
    made().count(counted({ principal: null, outcome: 'error', status: 401, errorCode: 'invalid_api_key', attempts: [], firstByteMs: null }));
    expect(await series('deja_gateway_requests_total')).toEqual(['deja_gateway_requests_total{endpoint="chat/completions",outcome="error",cache="MISS",status="401",error="invalid_api_key"} 1']);
    expect(await series('deja_gateway_tenant_requests_total')).toEqual([]);
    expect(await series('deja_gateway_added_duration_count')).toEqual([]);
  });
});

describe('money', () => {
  test('that a cached answer saved is counted by how it was found, with the model that had given it', async () => {
    const metrics = made();
    metrics.count(counted({ cache: 'HIT-EXACT', hit: hitOf(), attempts: [] }));
    metrics.count(counted({ cache: 'HIT-SEMANTIC', hit: hitOf({ deployment: 'openai/*', model: 'gpt-4.1-mini' }), attempts: [] }));
    metrics.count(counted({ cache: 'HIT-EXACT', hit: hitOf({ price: null }), attempts: [] }));
    expect(await series('deja_gateway_saved_usd_total')).toEqual(['deja_gateway_saved_usd_total{how="exact",model="gpt-4o"} 0.002', 'deja_gateway_saved_usd_total{how="semantic",model="gpt-4.1-mini"} 0.002']);
    expect(await series('deja_gateway_tenant_saved_usd_total')).toEqual(['deja_gateway_tenant_saved_usd_total{tenant="acme"} 0.004']);
    expect(await series('deja_gateway_cost_usd_total')).toEqual([]);
  });

  test('of a call beside the request is bought, and is not the tenant’s', async () => {
    const metrics = made();
    metrics.count(counted({ attempts: [attempt({ shadow: true, model: 'judge', deployment: 'openai/judge' }), attempt()] }));
    metrics.attempt(attempt({ shadow: true, model: 'new', deployment: 'openai/new' }));
    expect(await series('deja_gateway_cost_usd_total')).toEqual([
      'deja_gateway_cost_usd_total{provider="openai",model="judge"} 0.002',
      'deja_gateway_cost_usd_total{provider="openai",model="gpt-4o"} 0.002',
      'deja_gateway_cost_usd_total{provider="openai",model="new"} 0.002',
    ]);
    expect(await series('deja_gateway_tenant_cost_usd_total')).toEqual(['deja_gateway_tenant_cost_usd_total{tenant="acme"} 0.002']);
    expect(await series('deja_gateway_tenant_tokens_total')).toContain('deja_gateway_tenant_tokens_total{tenant="acme",direction="input"} 1000');
  });

  test('nobody can count is an unpriced attempt and not 0 dollars; a call that failed without usage cost nothing', async () => {
    const metrics = made();
    metrics.count(counted({ attempts: [attempt({ price: null }), attempt({ usage: null }), attempt({ usage: null, price: null, outcome: 'error', errorCode: 'upstream_error' })] }));
    expect(await series('deja_gateway_unpriced_attempts_total')).toEqual(['deja_gateway_unpriced_attempts_total{provider="openai",model="gpt-4o"} 2']);
    expect(await series('deja_gateway_cost_usd_total')).toEqual([]);
  });

  test('adds up to what the ledger’s arithmetic says, to a millionth', async () => {
    const calls = fc.array(fc.record({ prompt: fc.nat(100_000), completion: fc.nat(20_000), provider: fc.constantFrom('openai', 'anthropic') }), { maxLength: 30 });
    await fc.assert(fc.asyncProperty(calls, async (list) => {
      const own = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
      const metrics = new GatewayMetrics(own.meter);
      let ledger = 0n;
      for (const { prompt, completion, provider } of list) {
        metrics.count(counted({ attempts: [attempt({ provider, deployment: `${provider}/m`, model: 'm', usage: usage(prompt, completion) })] }));
        ledger += costNanoUsd(usage(prompt, completion), PRICE) ?? 0n;
      }
      const lines = (await own.metricsText()).split('\n').filter((line) => line.startsWith('deja_gateway_cost_usd_total{'));
      const sum = lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
      expect(Math.abs(sum - Number(ledger) / 1e9)).toBeLessThanOrEqual(1e-6 * Math.max(1, sum));
      await own.shutdown();
    }), { numRuns: 20 });
  });
});

describe('labels stay few', () => {
  test('of 10,000 models the first 200 have a name, and sums over them are right', async () => {
    const metrics = made();
    for (let n = 0; n < 10_000; n++) metrics.count(counted({ attempts: [attempt({ deployment: 'openai/*', model: `model-${n}` })] }));
    const cost = await series('deja_gateway_cost_usd_total');
    expect(cost).toHaveLength(201);
    expect(cost.at(-1)).toMatch(/^deja_gateway_cost_usd_total\{provider="openai",model="other"\} 19\.6/);
  });

  test('names that a provider never answered to take no place', async () => {
    const metrics = made();
    for (let n = 0; n < 10_000; n++) metrics.count(counted({ attempts: [attempt({ deployment: 'openai/*', model: `made-up-${n}`, outcome: 'error', errorCode: 'model_not_found', usage: usage(1, 0) })] }));
    metrics.count(counted());
    expect((await series('deja_gateway_cost_usd_total')).map((line) => /model="([^"]*)"/.exec(line)?.[1])).toEqual(['other', 'gpt-4o']);
  });

  test('of 10,000 tenants as many as are asked for have a name', async () => {
    const metrics = made(100);
    for (let n = 0; n < 10_000; n++) metrics.count(counted({ tenant: `tenant-${n}` }));
    for (const name of ['requests', 'cost_usd', 'saved_usd']) expect(await series(`deja_gateway_tenant_${name}_total`)).toHaveLength(101);
    expect(await series('deja_gateway_tenant_requests_total')).toContain('deja_gateway_tenant_requests_total{tenant="other",outcome="ok",cache="MISS"} 9900');
    expect(await series('deja_gateway_tenant_tokens_total')).toHaveLength(202);
  });

  test('with 0 tenants there are no figures by tenant at all', async () => {
    made(0).count(counted());
    expect(await telemetry.metricsText()).not.toContain('tenant');
  });
});

test('requests in flight are those that came and have not ended', async () => {
  const metrics = made();
  metrics.started();
  metrics.started();
  metrics.ended();
  expect(await series('deja_gateway_in_flight')).toEqual(['deja_gateway_in_flight 1']);
});

test('a stage that ends after its request was counted is measured by itself', async () => {
  made().stage('settle', 2.5);
  expect(await series('deja_gateway_stage_duration_sum')).toEqual(['deja_gateway_stage_duration_sum{stage="settle"} 0.0025']);
});
