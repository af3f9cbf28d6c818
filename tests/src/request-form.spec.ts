import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { chat, post, type Raw } from './client.ts';

const KEEP_ALIVE = ': keep-alive\n\n';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  const served = (name: string, model = name): object => ({ name, deployments: [{ provider: 'openai', model }] });
  cluster = await testCluster({
    config: {
      providers: { openai: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [served('gpt-4o-mini'), served('text-embedding-3-small'), served('house', 'gpt-4o-mini'), served('größe ✓', 'gpt-4o-mini')],
      streams: { keep_alive_ms: 40 },
    },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

let asked = 0;
/** A body nobody has sent before: no cache may answer. */
const fresh = (more: object = {}): object => ({ ...chat(`Question ${asked++} about the form of requests.`), ...more });

describe('the form of a body', () => {
  const JSON_ENDPOINTS = ['chat/completions', 'responses', 'completions', 'embeddings', 'moderations', 'images/generations', 'audio/speech', 'batches'];

  test.each(JSON_ENDPOINTS)('compressed is refused, and so is a form, on %s', async (path) => {
    const send = async (headers: Record<string, string>, body: NonNullable<RequestInit['body']>): Promise<unknown> => {
      const response = await fetch(`${cluster.url}/v1/${path}`, { method: 'POST', headers: { authorization: `Bearer ${cluster.key}`, ...headers }, body });
      const { error } = (await response.json()) as Raw['json'];
      return [response.status, error?.code, error?.param];
    };
    const before = provider.requests.length;
    expect(await send({ 'content-type': 'application/json', 'content-encoding': 'gzip' }, new Uint8Array(gzipSync(JSON.stringify(fresh()))))).toEqual([400, 'invalid_value', 'content-encoding']);
    const form = new FormData();
    form.set('file', new Blob(['x']), 'x.txt');
    // Images and speech with a form go the way of forms, where the model is missing.
    const param = path.startsWith('images/') || path.startsWith('audio/') ? 'model' : 'content-type';
    expect(await send({}, form)).toEqual([400, param === 'model' ? 'missing_required_parameter' : 'invalid_value', param]);
    expect(provider.requests).toHaveLength(before);
  });
});

describe('the form of a request', () => {
  /** What comes back for these bytes until the other side closes. `then` is sent once the text so far fits it. */
  const wire = (first: string, then?: [wait: RegExp, bytes: string]): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(cluster.url);
      let text = '';
      let left = then;
      const socket = connect(Number(port), hostname, () => socket.write(first));
      socket.on('data', (data: Buffer) => {
        text += data.toString();
        if (left?.[0].test(text) !== true) return;
        socket.write(left[1]);
        left = undefined;
      });
      socket.on('close', () => resolve(text)).on('error', reject);
    });
  const head = (...lines: string[]): string => `${[...lines, `authorization: Bearer ${cluster.key}`].join('\r\n')}\r\n\r\n`;

  test('without a host gets its error in OpenAI’s shape', async () => {
    const [start = '', body = ''] = (await wire(head('GET /v1/models HTTP/1.1', 'connection: close'))).split('\r\n\r\n');
    expect(start).toMatch(/^HTTP\/1\.1 400 [^]*x-request-id: [0-9a-f-]{36}/);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'invalid_value', param: 'host' } });
  });

  test('that expects what nobody knows is answered like any other, and every answer has its id', async () => {
    expect(await wire(head('GET /v1/models HTTP/1.1', 'host: x', 'expect: a miracle', 'connection: close'))).toMatch(/^HTTP\/1\.1 200 [^]*x-request-id: [0-9a-f-]{36}/);
    expect(await wire(head('GET /v1/models/house HTTP/1.1', 'host: x', 'connection: close'))).toMatch(/^HTTP\/1\.1 200 [^]*x-request-id: [0-9a-f-]{36}/);
  });

  test('that turns into nonsense while its answer is sent ends that answer, and puts nothing into it', async () => {
    const gate = Promise.withResolvers<void>();
    provider.script(answer('It begins and is broken off.', { gate: (chunk) => (chunk === 2 ? gate.promise : undefined) }));
    const body = JSON.stringify(fresh({ stream: true }));
    const text = await wire(`${head('POST /v1/chat/completions HTTP/1.1', 'host: x', 'content-type: application/json', `content-length: ${body.length}`)}${body}`, [/begins/, 'NONSENSE\0\r\n\r\n']);
    gate.resolve();
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text).not.toContain('[DONE]');
  });

  test('for a model whose name no header can carry is answered with the name encoded', async () => {
    const reply = await post(cluster, fresh({ model: 'größe ✓' }));
    expect([reply.status, decodeURIComponent(reply.headers.get('x-deja-model') ?? '')]).toEqual([200, 'größe ✓']);
  });
});

describe('keep-alive comments', () => {
  /** Reads a stream as it comes; `until` resolves when this text has come. */
  async function opened(body: object): Promise<{ until: (text: string) => Promise<void>; rest: () => Promise<string> }> {
    const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(body) });
    expect(response.status).toBe(200);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const more = async (): Promise<boolean> => {
      const { done, value } = await reader.read();
      text += value ?? '';
      return !done;
    };
    return {
      until: async (wanted) => {
        while (!text.includes(wanted)) if (!(await more())) throw new Error(`the stream ended without ${JSON.stringify(wanted)}: ${text}`);
      },
      rest: async () => {
        while (await more());
        return text;
      },
    };
  }

  test('reach a client that waits for the first content, and the stream still ends well', async () => {
    const gate = Promise.withResolvers<void>();
    provider.script(answer('It was worth the wait.', { gate: () => gate.promise }));
    const stream = await opened(fresh({ stream: true }));
    await stream.until(`${KEEP_ALIVE}${KEEP_ALIVE}`);
    gate.resolve();
    const text = await stream.rest();
    expect(text.slice(0, text.indexOf('data:')).replaceAll(KEEP_ALIVE, '')).toBe('');
    expect(text).toMatch(/wait\..*data: \[DONE\]\n\n$/s);
  });

  test('turn an error that comes after them into an event, and the stream does not look complete', async () => {
    const gate = Promise.withResolvers<void>();
    const broken = async (): Promise<ReturnType<typeof status>> => {
      await gate.promise;
      return status(400, {}, { error: { message: 'No such thing.', type: 'invalid_request_error', param: 'tools', code: null } });
    };
    provider.script(broken);
    const stream = await opened(fresh({ stream: true }));
    await stream.until(KEEP_ALIVE);
    gate.resolve();
    const text = (await stream.rest()).replaceAll(KEEP_ALIVE, '');
    expect(JSON.parse(text.replace('data: ', ''))).toEqual({ error: { message: 'No such thing.', type: 'invalid_request_error', param: 'tools', code: 'invalid_value' } });
    expect(text).not.toContain('[DONE]');
  });
});

describe('what passes untouched', () => {
  const odd = '"x_unknown" : {"n":900719925474099312345678901234567890, "f":1.0, "e":1E+2, "s":"\\u00e9\\ud83d\\ude00\\/", "model":"inner"} , "seed":9007199254740993';
  test.each<[string, string]>([
    ['chat/completions', `{ "model":"gpt-4o-mini", ${odd}, "messages":[{"role":"user","content":"To the byte.", "x":123456789012345678901}] }`],
    ['responses', `{ "model":"gpt-4o-mini", ${odd}, "input":[{"role":"user","content":"To the byte.", "x":123456789012345678901}], "metadata":{"a":"b"} }`],
    ['embeddings', `{ "model":"text-embedding-3-small", ${odd}, "input":["To the byte."] }`],
    ['completions', `{ "model":"gpt-4o-mini", ${odd}, "prompt":"To the byte." }`],
  ])('reaches the provider byte for byte on %s', async (path, body) => {
    expect((await post(cluster, body, {}, `/v1/${path}`)).status).toBe(200);
    expect(provider.requests.at(-1)?.rawBody.toString()).toBe(body);
  });

  test('stays byte for byte around a model that is renamed', async () => {
    const body = (model: string): string => `{${odd},"messages":[{"role":"user","content":"Renamed on the way."}],"model":"${model}"}`;
    expect((await post(cluster, body('house'))).status).toBe(200);
    expect(provider.requests.at(-1)?.rawBody.toString()).toBe(body('gpt-4o-mini'));
  });
});
