import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { TROUBLES, type Deployment } from '@deja/contracts';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { poolStates } from './pool/states.ts';
import { RouterMetrics } from './router-metrics.ts';

let telemetry: Telemetry;
beforeEach(() => {
  telemetry = startTelemetry({ service: 'router', instance: 'test', variables: {} });
});
afterEach(() => telemetry.shutdown());

const NOW = 1000;
const credential = { id: 'openai/main', version: 'v-of-secret', weight: 1, limits: {}, unavailableUntilMs: NOW + 1, trouble: 'rate_limited', tenant: 'acme' };
const deployment = { id: 'openai/gpt-4o', provider: 'openai', kind: 'openai', baseUrl: '', apiVersion: null, upstreamModel: 'gpt-4o', credentials: [credential], unavailableUntilMs: 0 } as unknown as Deployment;
const nothing = Object.fromEntries(TROUBLES.map((trouble) => [trouble, { credentials: 0, deployments: 0 }])) as never;

test('every deployment and credential has a series for each state, 1 for the one it is in; nothing else is told of a credential', async () => {
  new RouterMetrics(telemetry.meter, { version: 7, setAside: nothing, states: poolStates([deployment], NOW) }, { setAsideCounts: [] });
  const text = await telemetry.metricsText();
  const lines = text.split('\n').filter((line) => /^deja_router_(deployment|credential)_state\{/.test(line));
  const states = ['available', 'probation', 'rate_limited', 'exhausted', 'rejected', 'forbidden', 'failing', 'drained', 'no_credential'];
  expect(lines).toEqual([
    ...states.map((state) => `deja_router_deployment_state{deployment="openai/gpt-4o",state="${state}"} ${state === 'available' ? 1 : 0}`),
    ...states.map((state) => `deja_router_credential_state{provider="openai",credential="main",state="${state}"} ${state === 'rate_limited' ? 1 : 0}`),
  ]);
  for (const word of ['v-of-secret', 'acme']) expect(text).not.toContain(word);
});

test('before anything is published there is nothing to tell of', async () => {
  new RouterMetrics(telemetry.meter, { version: 0, setAside: nothing, states: poolStates([], NOW) }, { setAsideCounts: [] });
  expect(await telemetry.metricsText()).not.toMatch(/^deja_router_deployment_state\{/m);
});
