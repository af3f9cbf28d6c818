import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, raw, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { chat, operationRow, post, sdk } from './client.ts';

const MAX_BODY_BYTES = 256 * 1024;
let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({
    apps: ['gateway', 'router', 'usage-worker'],
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      validation: { max_body_bytes: MAX_BODY_BYTES },
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** Sends a head and some of a body, and waits for the answer without sending the rest. */
async function beginUpload(headers: string[], sent: number): Promise<{ answer: string; socket: Socket }> {
  const { port, hostname } = new URL(cluster.url);
  const socket = connect(Number(port), hostname);
  socket.write(['POST /v1/chat/completions HTTP/1.1', 'host: deja', 'content-type: application/json', ...headers, '', ''].join('\r\n'));
  if (sent > 0) socket.write('x'.repeat(sent));
  let text = '';
  socket.on('data', (data) => (text += data.toString()));
  while (!text.includes('"error"')) await once(socket, 'data');
  return { answer: text, socket };
}

describe('a body', () => {
  test('of somebody unknown is not waited for: the answer comes at its beginning', async () => {
    const { answer: text, socket } = await beginUpload(['authorization: Bearer sk-deja-nobody', 'content-length: 60000000'], 1000);
    expect(text).toContain('401 Unauthorized');
    expect(text).toContain('invalid_api_key');
    socket.destroy();
  });

  test('that says it is too large is refused at its beginning, and the operation is in the ledger', async () => {
    const { answer: text, socket } = await beginUpload([`authorization: Bearer ${cluster.key}`, `content-length: ${MAX_BODY_BYTES + 1}`], 1000);
    expect(text).toContain('413 ');
    expect(await operationRow(cluster, /x-request-id: (\S+)/i.exec(text)?.[1] ?? null)).toMatchObject({ status: 413, error_code: 'request_too_large' });
    socket.destroy();
  });

  test('of unknown length is refused as soon as it is too long', async () => {
    const { port, hostname } = new URL(cluster.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: deja\r\ncontent-type: application/json\r\nauthorization: Bearer ${cluster.key}\r\ntransfer-encoding: chunked\r\n\r\n`);
    const piece = 'x'.repeat(64 * 1024);
    for (let i = 0; i < 6; i++) socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toContain('413 ');
    socket.destroy();
  });

  test('that is large but allowed is read and served, and the connection goes on', async () => {
    expect((await post(cluster, chat('y'.repeat(MAX_BODY_BYTES - 1000)))).status).toBe(200);
    expect((await post(cluster, chat('And a small one.'))).status).toBe(200);
  });

  test('whose inner objects name a member twice never reaches a provider: it could read the one that was not judged', async () => {
    const before = provider.requests.length;
    const { status, json } = await post(cluster, '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"one","content":"two"}]}');
    expect([status, json.error?.code, json.error?.param]).toEqual([400, 'invalid_value', 'content']);
    expect(provider.requests).toHaveLength(before);
  });
});

describe('an answer', () => {
  test.each(['模型', 'a\nb', '\u0000'])('to a model whose name cannot stand in a header comes all the same: %j', async (model) => {
    const { status, headers } = await post(cluster, chat(`Asked of ${JSON.stringify(model)}.`, { model }));
    expect(status).toBe(200);
    expect(decodeURIComponent(headers.get('x-deja-model') ?? '')).toBe(model);
  });

  test('that a server gives whole although a stream was asked for is bought once, and comes as a stream', async () => {
    provider.reset();
    const whole = { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'All at once.' }, finish_reason: 'stop' }], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } };
    provider.script(raw({ contentType: 'application/json', body: JSON.stringify(whole) }));
    let text = '';
    for await (const chunk of await sdk(cluster).chat.completions.create({ model: 'gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'Stream, please.' }] })) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('All at once.');
    expect(provider.requests).toHaveLength(1);
  });

  test('that ends a choice in an error is none, and the next try serves', async () => {
    provider.reset();
    const broken = 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\ndata: [DONE]\n\n';
    provider.script(raw({ contentType: 'text/event-stream', body: broken }), answer('Better now.'));
    const stream = sdk(cluster).chat.completions.stream({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Try again, please.' }] });
    expect(await stream.finalContent()).toBe('Better now.');
  });

  test('at an address of Azure’s that names the model in the body’s place', async () => {
    const { json, headers } = await post(cluster, { messages: [{ role: 'user', content: 'By the address.' }] }, {}, '/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21');
    expect(headers.get('x-deja-model')).toBe('gpt-4o-mini');
    expect(json['choices']).toHaveLength(1);
  });
});
