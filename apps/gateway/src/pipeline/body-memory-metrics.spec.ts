import { expect, test } from '@jest/globals';
import { startTelemetry } from '@deja/telemetry';
import { measuredBodyMemory } from './body-memory-metrics.ts';

test('what bodies hold is shown, and each that was refused for want of room is counted', async () => {
  const telemetry = startTelemetry({ service: 'gateway', instance: 'test', variables: {} });
  const shown = async (): Promise<string[]> => (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('deja_gateway_bodies_'));
  const memory = measuredBodyMemory(telemetry.meter, 100);
  expect(await shown()).toEqual(['deja_gateway_bodies_refused_total 0', 'deja_gateway_bodies_held 0']);
  memory.take(60);
  expect(() => memory.take(60)).toThrow(expect.objectContaining({ code: 'overloaded' }));
  expect(await shown()).toEqual(['deja_gateway_bodies_refused_total 1', 'deja_gateway_bodies_held 60']);
  memory.give(60);
  expect((await shown()).at(-1)).toBe('deja_gateway_bodies_held 0');
  await telemetry.shutdown();
});
