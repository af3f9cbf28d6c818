import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, chunks, cut, fakeProvider, hang, malformed, raw, status, testCluster, unfinished, type FakeProvider, type TestCluster } from '@deja/testing';
import { ask, attemptRows, chat, eventually, operationRow, post, sdk } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

const FAILURES = [
  { name: 'a 500', step: status(500) },
  { name: 'a 429', step: status(429, { 'retry-after': '1' }) },
  { name: 'a 401', step: status(401) },
  { name: 'a broken connection', step: cut(0) },
  // The very first event: nothing good may come before it.
  { name: 'nonsense', step: raw({ contentType: 'text/event-stream', body: 'data: {"choices":[{"delta":{"content":\n\n' }) },
  { name: 'silence', step: hang() },
];

beforeAll(async () => {
  provider = await fakeProvider();
  const fake = { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }] };
  const own = FAILURES.map((_, i) => `own-${i}`);
  cluster = await testCluster({
    config: {
      providers: { fake, ...Object.fromEntries(own.map((name) => [name, fake])) },
      models: [...own, '*'].map((name) => ({ name, deployments: [{ provider: name === '*' ? 'fake' : name, model: name === '*' ? '*' : 'gpt-4o-mini' }] })),
      timeouts: { first_byte_ms: 2500, unary_ms: 2500, idle_ms: 2500 },
      retries: { max_attempts: 2 },
    },
  });
}, 60_000);
afterEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

let questions = 0;
const question = (): string => `Question number ${questions++} of these tests, please answer it.`;

describe('streams tell the truth', () => {
  test('a stream that broke off is an error event, never ends with [DONE], and never enters a cache', async () => {
    const asked = chat(question(), { stream: true });
    provider.script(cut(3, chunks(['Par', 'is ', 'is ', 'the capital'])));
    const broken = await post(cluster, asked);
    const events = broken.text.trim().split('\n\n');
    expect(broken.status).toBe(200);
    expect(JSON.parse(events.at(-1)!.replace('data: ', ''))).toMatchObject({ error: { code: 'upstream_error', type: 'api_error' } });
    expect(broken.text).not.toContain('[DONE]');
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('MISS');
    expect(await operationRow(cluster, broken.headers.get('x-request-id'))).toMatchObject({ status: 200, outcome: 'error', error_code: 'upstream_error', usage_source: 'estimated' });
  });

  test('without the provider’s own [DONE] a stream is not complete', async () => {
    provider.script(unfinished(answer('It looks whole, and is not.')));
    const reply = await post(cluster, chat(question(), { stream: true }));
    expect(reply.text).not.toContain('[DONE]');
    expect(reply.text).toContain('upstream_error');
  });

  test('the official SDK sees a broken stream as an error', async () => {
    provider.script(cut(2));
    const stream = await sdk(cluster).chat.completions.create({ model: 'gpt-4o-mini', stream: true, messages: ask(question()) });
    await expect((async () => {
      for await (const _chunk of stream);
    })()).rejects.toThrow(/provider/i);
  });

  // Each failure has a provider of its own: what one test's failure teaches the pool must not decide the next one's plan.
  test.each(FAILURES.map((failure, i) => [failure.name, `own-${i}`, failure.step] as const))('before the first content another credential takes over after %s, and the client does not notice', async (_, model, step) => {
    provider.script(step, answer('From the second one.'));
    const reply = await post(cluster, { ...chat(question(), { stream: true }), model });
    expect([reply.status, reply.headers.get('x-deja-attempts')]).toEqual([200, '2']);
    expect(reply.text).toContain('[DONE]');
    expect(new Set(provider.requests.map((request) => request.credential))).toEqual(new Set(['sk-upstream-a', 'sk-upstream-b']));
    const row = await operationRow(cluster, reply.headers.get('x-request-id'));
    expect(await attemptRows(cluster, row.id)).toMatchObject([{ n: 1, outcome: 'error' }, { n: 2, outcome: 'ok', usage_source: 'upstream' }]);
  });

  test('a client that leaves mid-stream ends the upstream call within a second, and is billed for what was produced', async () => {
    provider.script(hang(5, chunks(['one ', 'two ', 'three ', 'four ', 'five ', 'six'])));
    const leaving = new AbortController();
    const { data, response } = await sdk(cluster).chat.completions.create({ model: 'gpt-4o-mini', stream: true, messages: ask(question()) }, { signal: leaving.signal }).withResponse();
    let seen = 0;
    for await (const chunk of data) if (chunk.choices[0]?.delta.content && ++seen === 3) break;
    leaving.abort();
    const left = Date.now();
    const call = await eventually('the upstream call to end', () => provider.requests.find((request) => request.abortedAtMs !== null), 5000);
    expect(call.abortedAtMs! - left).toBeLessThan(1000);
    const row = await operationRow(cluster, response.headers.get('x-request-id'));
    expect(row).toMatchObject({ outcome: 'cancelled', usage_source: 'estimated' });
    expect(row.completion_tokens).toBeGreaterThan(0);
    expect(Number(row.cost_nano_usd)).toBeGreaterThan(0);
  });

  test('a client that leaves before a whole answer ends the upstream call too', async () => {
    provider.script(hang());
    const body = JSON.stringify(chat(question()));
    const request = httpRequest(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${cluster.key}`, 'content-type': 'application/json' } });
    request.on('error', () => undefined);
    request.end(body);
    await provider.waitFor(() => provider.requests.length === 1, 5000);
    request.destroy();
    await eventually('the upstream call to end', () => provider.requests[0]?.abortedAtMs, 5000);
    const row = await eventually('its ledger row', async () => (await cluster.sql<{ status: number; usage_source: string }>("select * from usage.operations where outcome = 'cancelled' and not stream"))[0]);
    expect(row).toMatchObject({ status: 499, usage_source: 'estimated' });
  });

  test('a slow reader slows the provider down instead of filling the gateway', async () => {
    const piece = 'x'.repeat(64 * 1024);
    provider.script(chunks(Array.from({ length: 400 }, () => piece)));
    const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${cluster.key}`, 'content-type': 'application/json' }, body: JSON.stringify(chat(question(), { stream: true })) });
    const reader = response.body!.getReader();
    await reader.read();
    const pid = cluster.pid('gateway')!;
    expect(provider.requests[0]?.finishedAtMs).toBeNull();
    let bytes = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
    expect(bytes).toBeGreaterThan(400 * piece.length);
    expect(cluster.pid('gateway')).toBe(pid);
  });

  test('a client that reads nothing is given up after the idle time, and its operation is settled', async () => {
    provider.script(chunks(Array.from({ length: 400 }, () => 'x'.repeat(64 * 1024))));
    const { hostname, port } = new URL(cluster.url);
    const body = JSON.stringify(chat(question(), { stream: true, user: 'the-one-who-never-reads' }));
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${cluster.key}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    const row = await eventually('its ledger row', async () => (await cluster.sql<{ outcome: string; usage_source: string }>(`select * from usage.operations where "user" = 'the-one-who-never-reads'`))[0]);
    expect(row).toMatchObject({ outcome: 'cancelled', usage_source: 'estimated' });
    expect(provider.requests.at(-1)?.abortedAtMs).not.toBeNull();
    socket.destroy();
  });

  test('a provider that never answers is 504 at its deadline, and one that gives nonsense 502', async () => {
    provider.script(hang(), hang());
    expect(await post(cluster, chat(question()))).toMatchObject({ status: 504, json: { error: { code: 'upstream_timeout', type: 'api_error' } } });
    provider.script(malformed('json'), malformed('json'));
    const reply = await post(cluster, chat(question()));
    expect([reply.status, reply.json.error?.code]).toEqual([502, 'upstream_error']);
  });

  test('a provider’s rejection of the request is told in its words and not tried again; of the credential never', async () => {
    const said = { message: 'This parameter is not for this model.', type: 'invalid_request_error', param: 'temperature', code: 'unsupported_value' };
    provider.script(status(400, {}, { error: said }));
    expect(await post(cluster, chat(question()))).toMatchObject({ status: 400, json: { error: { message: said.message, param: 'temperature' } } });
    expect(provider.requests).toHaveLength(1);
  });

  test('a provider that repeats its credential in a complaint does not tell it to the client', async () => {
    provider.script((request) => status(400, {}, { error: { message: `no: ${request.credential}`, type: 'invalid_request_error', param: null, code: null } }));
    const reply = await post(cluster, chat(question()));
    expect(reply.json.error?.message).toBe('no: [masked]');
  });

  test('an absurd count of tokens is not billed: it is estimated', async () => {
    provider.script(answer('Short.', { usage: { promptTokens: -5, completionTokens: 1e30 } }));
    const reply = await post(cluster, chat(question()));
    expect(await operationRow(cluster, reply.headers.get('x-request-id'))).toMatchObject({ usage_source: 'estimated' });
  });
});
