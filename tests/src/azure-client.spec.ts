import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import OpenAI, { AzureOpenAI, toFile } from 'openai';

let provider: FakeProvider;
let cluster: TestCluster;
let azure: AzureOpenAI;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({ provider, apps: ['gateway', 'router'] });
  azure = new AzureOpenAI({ endpoint: cluster.url, apiKey: cluster.key, apiVersion: '2024-10-21', maxRetries: 0 });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

describe('a team that uses Azure’s SDK changes its endpoint and nothing else', () => {
  test('chat, whole and streamed, by the deployment’s address and the api-key header', async () => {
    const messages = [{ role: 'user' as const, content: 'Azure asks for a river.' }];
    const { data, response } = await azure.chat.completions.create({ model: 'gpt-4o-mini', messages }).withResponse();
    expect(data.choices[0]?.message.content).toContain('Azure asks for a river.');
    expect(response.headers.get('x-deja-model')).toBe('gpt-4o-mini');
    let text = '';
    for await (const chunk of await azure.chat.completions.create({ model: 'gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'And for a brook.' }] })) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('And for a brook.');
    expect(provider.requests.every(({ path, credential }) => path === '/v1/chat/completions' && credential?.startsWith('sk-upstream-'))).toBe(true);
  });

  test('embeddings, and a form that names its model', async () => {
    expect((await azure.embeddings.create({ model: 'text-embedding-3-small', input: 'x' })).data).toHaveLength(1);
    const file = await toFile(Buffer.from('sound'), 'a.mp3');
    expect((await azure.audio.transcriptions.create({ model: 'whisper-1', file })).text).toEqual(expect.any(String));
  });

  test('the v1 addresses, with OpenAI’s own client', async () => {
    const client = new OpenAI({ baseURL: `${cluster.url}/openai/v1`, apiKey: cluster.key, maxRetries: 0 });
    expect((await client.responses.create({ model: 'gpt-4o-mini', input: 'A lake, please.' })).output_text).toContain('A lake, please.');
  });

  test('an unknown key gets OpenAI’s error there, too', async () => {
    const stranger = new AzureOpenAI({ endpoint: cluster.url, apiKey: 'sk-deja-nobody', apiVersion: '2024-10-21', maxRetries: 0 });
    await expect(stranger.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });
});
