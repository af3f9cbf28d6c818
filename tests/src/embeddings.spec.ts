import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { sdk } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  const of = (name: string): object => ({ kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name, value: `sk-upstream-${name}` }] });
  cluster = await testCluster({
    apps: ['gateway', 'router'],
    config: {
      providers: { one: of('one'), two: of('two') },
      models: [
        { name: 'embed', strategy: 'priority', deployments: [{ provider: 'one', model: 'space-one' }, { provider: 'two', model: 'space-two', priority: 2 }] },
      ],
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const inputsOf = (n: number): unknown => (provider.requests[n]?.body as { input?: unknown } | undefined)?.input;

test('what is known is not bought again; the reply has the order of the request', async () => {
  await sdk(cluster).embeddings.create({ model: 'embed', input: ['a', 'b'] });
  provider.reset();
  const { data, response } = await sdk(cluster).embeddings.create({ model: 'embed', input: ['c', 'a', 'b'] }).withResponse();
  expect(data.data.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect([inputsOf(0), response.headers.get('x-cache-reason')]).toEqual([['c'], 'partial_hit']);
});

test('vectors of two models never stand in one reply: where another model answers, all are bought from it', async () => {
  await sdk(cluster).embeddings.create({ model: 'embed', input: ['d'] });
  provider.reset();
  provider.scriptFor('sk-upstream-one', status(500), status(500), status(500), status(500));
  const { data, response } = await sdk(cluster).embeddings.create({ model: 'embed', input: ['d', 'e'] }).withResponse();
  expect([data.model, response.headers.get('x-cache')]).toEqual(['space-two', 'MISS']);
  expect(inputsOf(provider.requests.length - 1)).toEqual(['d', 'e']);
});
