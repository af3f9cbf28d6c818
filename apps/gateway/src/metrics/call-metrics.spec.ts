import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AttemptRecord, Deployment } from '@deja/contracts';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { attempt, usage } from '../../test/counted-operation.ts';
import { CallMetrics, type EndedCall } from './call-metrics.ts';
import { ModelLabel } from './model-label.ts';

let telemetry: Telemetry;
let calls: CallMetrics;
beforeEach(() => {
  telemetry = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
  calls = new CallMetrics(telemetry.meter, new ModelLabel());
});
afterEach(() => telemetry.shutdown());

const deployment: Deployment = { id: 'openai/gpt-4o', provider: 'openai', kind: 'azure-openai', baseUrl: 'https://name.openai.azure.com', apiVersion: null, upstreamModel: 'gpt-4o', credentials: [], unavailableUntilMs: 0 };
const ended = (record: AttemptRecord, over: Partial<EndedCall> = {}): void => calls.ended({ record, candidate: { deployment, model: 'smart' }, genAiOperation: 'chat', streams: true, failure: null, ...over });
const COMMON = 'gen_ai_operation_name="chat",gen_ai_provider_name="azure.ai.openai",gen_ai_request_model="gpt-4o",deja_provider="openai"';

async function lines(name: string): Promise<string[]> {
  return (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith(`${name}{`));
}

describe('a call of a provider', () => {
  test('that streamed is measured as the conventions say, under the configuration’s name too', async () => {
    ended(attempt());
    expect(await lines('gen_ai_client_operation_duration_sum')).toEqual([`gen_ai_client_operation_duration_sum{${COMMON}} 1.5`]);
    expect(await lines('gen_ai_client_operation_time_to_first_chunk_sum')).toEqual([`gen_ai_client_operation_time_to_first_chunk_sum{${COMMON}} 0.2`]);
    expect(await lines('gen_ai_client_token_usage_sum')).toEqual([`gen_ai_client_token_usage_sum{${COMMON},gen_ai_token_type="input"} 1000`, `gen_ai_client_token_usage_sum{${COMMON},gen_ai_token_type="output"} 500`]);
    expect(await telemetry.metricsText()).toContain(`gen_ai_client_operation_duration_bucket{${COMMON},le="2.56"} 1`);
  });

  test('that failed has its error from a closed list, and one that was cancelled says so', async () => {
    ended(attempt({ outcome: 'error', errorCode: 'upstream_error', usage: null, firstByteMs: null }), { failure: 'overloaded' });
    ended(attempt({ outcome: 'cancelled', errorCode: null, usage: null, firstByteMs: null }), { failure: 'cancelled' });
    expect(await lines('gen_ai_client_operation_duration_count')).toEqual([
      `gen_ai_client_operation_duration_count{${COMMON},error_type="overloaded"} 1`,
      `gen_ai_client_operation_duration_count{${COMMON},error_type="cancelled"} 1`,
    ]);
    expect(await lines('gen_ai_client_token_usage_count')).toEqual([]);
  });

  test('that did not stream has no first chunk, and an endpoint that counts no output no output', async () => {
    ended(attempt({ usage: usage(12, 0) }), { genAiOperation: 'embeddings', streams: false });
    expect(await lines('gen_ai_client_operation_time_to_first_chunk_count')).toEqual([]);
    expect(await lines('gen_ai_client_token_usage_count')).toEqual(['gen_ai_client_token_usage_count{gen_ai_operation_name="embeddings",gen_ai_provider_name="azure.ai.openai",gen_ai_request_model="gpt-4o",deja_provider="openai",gen_ai_token_type="input"} 1']);
  });

  test('that no model has a part in is none', async () => {
    ended(attempt(), { genAiOperation: 'files', candidate: { deployment, model: '' } });
    expect(await lines('gen_ai_client_operation_duration_count')).toEqual([]);
  });

  test('of one of 10,000 models that clients name is counted, without a series for each, a key or a credential', async () => {
    for (let n = 0; n < 10_000; n++) ended(attempt({ deployment: 'openai/*', model: `model-${n}`, credential: 'openai/secret-name' }));
    expect(await lines('gen_ai_client_operation_duration_count')).toHaveLength(201);
    expect((await lines('gen_ai_client_operation_duration_count')).at(-1)).toContain('gen_ai_request_model="other",deja_provider="openai"} 9800');
    expect(await telemetry.metricsText()).not.toContain('secret-name');
  });
});
