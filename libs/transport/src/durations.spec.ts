import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DejaError } from '@deja/contracts';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { CallDurations } from './durations.ts';
import { RpcCancelled, RpcFailure, RpcTimeout, RpcUnavailable } from './errors.ts';
import { UnknownPattern } from './handler-run.ts';
import { ServerCounts } from './server-counts.ts';

let telemetry: Telemetry;
// The meter of a process is set once.
beforeAll(() => {
  telemetry = startTelemetry({ service: 'router', instance: 'test', variables: {} });
});
afterAll(() => telemetry.shutdown());

const lines = async (name: string): Promise<string[]> => (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith(`${name}{`));

describe('calls of another service', () => {
  test('are measured by what came of them, out of five words', async () => {
    const durations = new CallDurations('router');
    const errors = [undefined, new RpcTimeout('credential', 1), new RpcUnavailable('away'), new RpcCancelled('credential'), new RpcFailure('credential'), new DejaError('not_found', 'No.')];
    for (const error of errors) durations.ended('credential', 2, error);
    expect(await lines('deja_transport_call_duration_count')).toEqual([
      'deja_transport_call_duration_count{service="router",method="credential",outcome="ok"} 1',
      'deja_transport_call_duration_count{service="router",method="credential",outcome="timeout"} 1',
      'deja_transport_call_duration_count{service="router",method="credential",outcome="unavailable"} 1',
      'deja_transport_call_duration_count{service="router",method="credential",outcome="cancelled"} 1',
      'deja_transport_call_duration_count{service="router",method="credential",outcome="error"} 2',
    ]);
    expect(await lines('deja_transport_call_duration_sum')).toContain('deja_transport_call_duration_sum{service="router",method="credential",outcome="ok"} 0.002');
  });
});

describe('handling', () => {
  const idle = { requests: { size: 0 }, events: { size: 0 } };

  test('is measured whether it goes well or not, and gives back what the handler gave', async () => {
    const counts = new ServerCounts('router', idle);
    expect(await counts.timed('credential', async () => 'leased')).toBe('leased');
    const failure = new Error('broken');
    await expect(counts.timed('credential', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await lines('deja_transport_handling_duration_count')).toEqual(['deja_transport_handling_duration_count{service="router",method="credential"} 2']);
  });

  test('of what nobody handles makes no series: its name comes from outside', async () => {
    const counts = new ServerCounts('router', idle);
    await expect(counts.timed('made-up', () => Promise.reject(new UnknownPattern('made-up')))).rejects.toThrow('no handler');
    expect(await telemetry.metricsText()).not.toContain('made-up');
  });
});
