import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import type OpenAI from 'openai';
import { attemptRows, eventually, operationRow, sdk } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;
let openai: OpenAI;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({ provider, apps: ['gateway', 'router', 'usage-worker'] });
  openai = sdk(cluster);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

test('a response in the background is billed once, when it is first seen to have ended', async () => {
  const { data: begun, response: first } = await openai.responses.create({ model: 'gpt-4o-mini', input: 'Think long about a delta.', background: true }).withResponse();
  expect(begun.status).toMatch(/queued|in_progress/);
  expect(await operationRow(cluster, first.headers.get('x-request-id'))).toMatchObject({ cost_nano_usd: '0', prompt_tokens: 0, completion_tokens: 0 });
  const ended = await eventually('an end', async () => {
    const { data, response } = await openai.responses.retrieve(begun.id).withResponse();
    return data.status === 'completed' && { data, id: response.headers.get('x-request-id') };
  });
  const row = await operationRow(cluster, ended.id);
  expect(row).toMatchObject({ prompt_tokens: ended.data.usage?.input_tokens, completion_tokens: ended.data.usage?.output_tokens, usage_source: 'upstream' });
  expect(BigInt(row.cost_nano_usd ?? 0)).toBeGreaterThan(0n);
  expect(await attemptRows(cluster, ended.id)).toMatchObject([{ cost_nano_usd: row.cost_nano_usd }]);
  const { response: again } = await openai.responses.retrieve(begun.id).withResponse();
  expect(await operationRow(cluster, again.headers.get('x-request-id'))).toMatchObject({ cost_nano_usd: '0', prompt_tokens: 0 });
});
