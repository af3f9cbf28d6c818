import { expect, test } from '@jest/globals';
import { DejaError } from '@deja/contracts';
import { scriptedAdmin } from '../../../test/scripted-admin.ts';
import type { Explain, Explained, ExplainedCandidate, PlanQuestion } from './plan-explainer.ts';

const known: ExplainedCandidate = {
  quotaWaitMs: 250,
  model: 'gpt-4o', deployment: 'openai/gpt-4o', credential: 'openai/a', version: 'v1', role: 'candidate', order: 1, reason: null, behind: null, trouble: null,
  detail: { weight: 2, priority: 1, credentialWeight: 1, waitMs: 0, firstByteMs: 300, inFlight: 1, costNanoUsd: 1_500_000.4, capability: 70 },
};

async function asked(body: object, answer: Explained | Explain = { snapshotVersion: 7, candidates: [known] }) {
  const questions: PlanQuestion[] = [];
  const admin = await scriptedAdmin({
    explain: (question) => {
      questions.push(question);
      return typeof answer === 'function' ? answer(question) : answer;
    },
  });
  const reply = await admin.send({ method: 'POST', url: '/admin/v1/plan/explain', payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  await admin.close();
  return { reply, question: questions[0]! };
}

test('every candidate is shown with its place or the reason it was left out, and what else is known of it', async () => {
  const left: ExplainedCandidate = {
    ...known, quotaWaitMs: 0, deployment: 'azure/gpt-4o', credential: null, version: null, role: null, order: null, reason: 'deployment_unavailable', trouble: 'failing',
    detail: { ...known.detail, credentialWeight: null, waitMs: 4000, firstByteMs: null, inFlight: 0, costNanoUsd: null, capability: null },
  };
  const { reply } = await asked({ model: 'gpt-4o' }, { snapshotVersion: 7, candidates: [known, left] });
  expect([reply.statusCode, reply.json()]).toEqual([200, {
    model: 'gpt-4o',
    snapshot_version: 7,
    candidates: [
      {
        order: 1, model: 'gpt-4o', deployment: 'openai/gpt-4o', credential: 'openai/a', version: 'v1', role: 'candidate', reason: null, behind: null, trouble: null,
        weight: 2, priority: 1, credential_weight: 1, wait_ms: 0, quota_wait_ms: 250, first_byte_ms: 300, in_flight: 1, cost_usd: '0.0015', capability: 70,
      },
      {
        order: null, model: 'gpt-4o', deployment: 'azure/gpt-4o', credential: null, version: null, role: null, reason: 'deployment_unavailable', behind: null, trouble: 'failing',
        weight: 2, priority: 1, credential_weight: null, wait_ms: 4000, quota_wait_ms: 0, first_byte_ms: null, in_flight: 0, cost_usd: null, capability: null,
      },
    ],
  }]);
});

test('a question about a model alone is one about any chat request of everybody', async () => {
  const { question } = await asked({ model: 'gpt-4o' });
  expect(question).toMatchObject({ model: 'gpt-4o', request: null, tenant: null, requires: {} });
  expect(question.endpoint.path).toBe('chat/completions');
});

test.each([
  ['chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
  ['responses', { input: 'Hi' }],
  ['completions', { prompt: 'Hi' }],
  ['embeddings', { input: 'Hi' }],
  ['moderations', { input: 'Hi' }],
])('a request of %s is read as the gateway would read it, for the model that is asked about', async (endpoint, body) => {
  const { reply, question } = await asked({ model: 'm', endpoint, body: { ...body, model: 'another' }, tenant: 'acme', requires: { region: 'eu', tags: ['zero-retention'] } });
  expect([reply.statusCode, question.endpoint.path, question.request?.model, question.tenant, question.requires]).toEqual([200, endpoint, 'm', 'acme', { region: 'eu', tags: ['zero-retention'] }]);
});

test('a model nobody has is told as such', async () => {
  const { reply } = await asked({ model: 'm' }, { snapshotVersion: 7, candidates: [] });
  expect([reply.statusCode, reply.json<{ error: object }>().error]).toMatchObject([404, { code: 'model_not_found', param: 'model' }]);
});

test('a gateway without a snapshot says when to come back', async () => {
  const { reply } = await asked({ model: 'm' }, () => {
    throw new DejaError('overloaded', 'The gateway is waiting for its routing table. Try again shortly.', { retryAfterMs: 1000 });
  });
  expect([reply.statusCode, reply.headers['retry-after']]).toEqual([503, '1']);
});
