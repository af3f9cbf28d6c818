import { afterEach, expect, test } from '@jest/globals';
import { DejaError } from '@deja/contracts';
import type { RoutingView } from '@deja/routing';
import { changeBy, deploymentView, NOW_MS, scriptedAdmin, type Script, type ScriptedAdmin } from '../../../test/scripted-admin.ts';

const open: ScriptedAdmin[] = [];
const started = async (script: Script, seen?: RoutingView): Promise<ScriptedAdmin> => {
  const admin = await scriptedAdmin({ script, ...(seen && { seen }) });
  open.push(admin);
  return admin;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((admin) => admin.close()));
});

const SLASHES = 'openrouter/meta-llama/llama-3';

test('a deployment is shown as all gateways know it, with what this one sees beside', async () => {
  const view = deploymentView({
    trouble: 'failing', unavailableUntilMs: NOW_MS + 5000, firstByteMs: 312.4567, calls: 10, failures: 6,
    credentials: [{ id: 'openai/a', trouble: null, unavailableUntilMs: 0 }, { id: 'openai/b', trouble: 'rejected', unavailableUntilMs: NOW_MS - 1 }],
  });
  const own = { inFlight: 3, firstByteMs: 290.04, oldestWaitMs: 12, suspectUntilMs: 0, probing: false };
  const admin = await started({ list_deployments: () => ({ deployments: [view] }) }, { deployments: new Map([[view.id, own]]), credentials: new Map() });
  expect((await admin.send({ method: 'GET', url: '/admin/v1/deployments' })).json()).toEqual({
    object: 'list',
    has_more: false,
    next_cursor: null,
    data: [{
      object: 'deployment', id: 'openai/gpt-4o', provider: 'openai', kind: 'openai', upstream_model: 'gpt-4o', models: ['gpt-4o'], drained: false,
      health: 'out', trouble: 'failing', unavailable_until: '2026-01-02T03:04:10.000Z', first_byte_ms: 312.5, calls: 10, failures: 6,
      credentials: [
        { id: 'openai/a', health: 'healthy', trouble: null, unavailable_until: null },
        { id: 'openai/b', health: 'probation', trouble: 'rejected', unavailable_until: '2026-01-02T03:04:04.999Z' },
      ],
      this_gateway: { in_flight: 3, first_byte_ms: 290 },
    }],
  });
});

test('a deployment that this gateway has not called has nothing in flight here', async () => {
  const admin = await started({ list_deployments: () => ({ deployments: [deploymentView()] }) });
  expect((await admin.send({ method: 'GET', url: '/admin/v1/deployments/openai/gpt-4o' })).json()).toMatchObject({ this_gateway: { in_flight: 0, first_byte_ms: null } });
});

test.each([
  ['openai/gpt-4o', 'openai/gpt-4o'], ['openai%2Fgpt-4o', 'openai/gpt-4o'], ['openrouter/meta-llama/llama-3', SLASHES], ['openrouter/meta-llama%2Fllama-3', SLASHES], ['openrouter%2fmeta-llama%2fllama-3', SLASHES],
  ['ollama/llama3:8b', 'ollama/llama3:8b'], ['ollama%2Fllama3%3A8b', 'ollama/llama3:8b'], ['openai/*', 'openai/*'], ['openai/%2A', 'openai/*'], ['p/100%25', 'p/100%'], ['p/m%C3%A4h', 'p/mäh'], ['p/x/drain', 'p/x/drain'],
])('GET deployments/%s is the deployment %s', async (path, id) => {
  const admin = await started({ list_deployments: () => ({ deployments: ['openai/gpt-4o', SLASHES, 'ollama/llama3:8b', 'openai/*', 'p/100%', 'p/mäh', 'p/x/drain', 'p/x'].map((known) => deploymentView({ id: known })) }) });
  expect((await admin.send({ method: 'GET', url: `/admin/v1/deployments/${path}` })).json()).toMatchObject({ id });
});

test.each(['openai', 'openai/gpt', '%20', 'openai//gpt-4o'])('GET deployments/%s is nothing', async (path) => {
  const admin = await started({ list_deployments: () => ({ deployments: [deploymentView()] }) });
  const reply = await admin.send({ method: 'GET', url: `/admin/v1/deployments/${path}` });
  expect([reply.statusCode, reply.json<{ error: { code: string } }>().error.code]).toEqual([404, 'not_found']);
});

test.each([
  ['openai/gpt-4o/drain', { id: 'openai/gpt-4o', drained: true }], ['openai%2Fgpt-4o/drain', { id: 'openai/gpt-4o', drained: true }], ['openai%2Fgpt-4o/drain/', { id: 'openai/gpt-4o', drained: true }],
  ['openrouter/meta-llama/llama-3/resume', { id: SLASHES, drained: false }], ['p/x/drain/drain', { id: 'p/x/drain', drained: true }],
])('POST deployments/%s asks the router for %j', async (path, request) => {
  const admin = await started({ drain_deployment: ({ id, drained }) => ({ deployment: deploymentView({ id, drained }) }) });
  const reply = await admin.send({ method: 'POST', url: `/admin/v1/deployments/${path}` });
  expect([reply.statusCode, reply.json()]).toEqual([200, expect.objectContaining(request)]);
  expect(admin.calls).toEqual([{ pattern: 'drain_deployment', request: { ...request, change: changeBy() } }]);
});

test.each(['openai/gpt-4o', 'drain', 'openai/gpt-4o/stop', 'openai/gpt-4o/drain/now'])('POST deployments/%s is nothing', async (path) => {
  const admin = await started({});
  expect((await admin.send({ method: 'POST', url: `/admin/v1/deployments/${path}` })).statusCode).toBe(404);
  expect(admin.calls).toEqual([]);
});

test('draining what is not there is a 404', async () => {
  const admin = await started({
    drain_deployment: () => {
      throw new DejaError('not_found', 'There is no such deployment.');
    },
  });
  expect((await admin.send({ method: 'POST', url: '/admin/v1/deployments/p/m/drain' })).json()).toMatchObject({ error: { code: 'not_found', message: 'There is no such deployment.' } });
});
