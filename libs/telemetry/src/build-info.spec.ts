import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import { dejaVersion, observeBuild } from './build-info.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

let telemetry: Telemetry | null = null;
afterEach(() => telemetry?.shutdown());

test('which version of which app runs stands in deja_build_info', async () => {
  telemetry = startTelemetry({ service: 'other', instance: 'i', variables: {} });
  observeBuild(telemetry.meter, 'gateway', '1.2.3');
  const text = await telemetry.metricsText();
  expect(text).toContain('# TYPE deja_build_info gauge\n');
  expect(text.split('\n')).toContain('deja_build_info{app="gateway",version="1.2.3"} 1');
});

test('the version is that of the root package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(dejaVersion()).toBe(version);
});
