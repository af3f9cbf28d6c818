import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { answer, fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { chat, eventually, post } from './client.ts';

const WELL = 'Well.';
/** Nobody listens there. */
const CLOSED = 'http://127.0.0.1:1/v1';
const REQUESTS = 200;
const IN_FLIGHT = 20;

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider({ otherwise: ({ credential }) => (credential === 'sk-bad' ? status(500) : answer(WELL, { beforeFirstByteMs: 20 })) });
  const good = { name: 'good', value: 'sk-good' };
  const withCredentials = (credentials: object[]): object => ({ kind: 'openai', server: 'openai', base_url: provider.url, credentials });
  cluster = await testCluster({
    apps: ['gateway', 'router'],
    config: {
      providers: { 'dead-address': withCredentials([{ name: 'bad', value: 'sk-lost', base_url: CLOSED }, good]), 'refused-key': withCredentials([{ name: 'bad', value: 'sk-bad' }, good]) },
      models: ['dead-address', 'refused-key'].map((name) => ({ name, deployments: [{ provider: name, model: 'gpt-4o-mini' }] })),
      cache: { semantic: { enabled: false } },
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

let questions = 0;
const ask = async (model: string): Promise<string> => {
  const { status: code, text } = await post(cluster, chat(`Question ${++questions}, of nobody else.`, { model, stream: questions % 2 === 0 }));
  return `${code} ${text.includes(WELL) ? WELL : text}`;
};

/** What speaks against the bad credential, as the pool says. */
async function trouble(model: string): Promise<string | null | undefined> {
  const reply = await fetch(`${cluster.url}/admin/v1/deployments/${model}/gpt-4o-mini`, { headers: { authorization: `Bearer ${cluster.adminKey}` } });
  const { credentials } = (await reply.json()) as { credentials: { id: string; trouble: string | null }[] };
  return credentials.find(({ id }) => id === `${model}/bad`)?.trouble;
}

test.each([['whose address is dead', 'dead-address'], ['that gets nothing but 500', 'refused-key']])('a credential %s fails no request while another one is well, and is what is set aside', async (_, model) => {
  const told = new Map<string, number>();
  let asked = 0;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (asked++ < REQUESTS) {
      const reply = await ask(model);
      told.set(reply, (told.get(reply) ?? 0) + 1);
    }
  }));
  expect([...told]).toEqual([[`200 ${WELL}`, REQUESTS]]);
  // A gateway that has its own doubts asks the bad one only now and then.
  await eventually('the pool to learn', async () => {
    expect(await ask(model)).toBe(`200 ${WELL}`);
    return (await trouble(model)) === 'failing';
  }, 30_000);
}, 60_000);
