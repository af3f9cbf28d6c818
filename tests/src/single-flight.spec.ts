import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, chunks, cut, fakeProvider, status, testCluster, type FakeProvider, type Step, type TestCluster } from '@deja/testing';
import { attemptRows, chat, eventually, operationRow, post, readStream, type Raw } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      retries: { max_attempts: 1 },
      cache: { semantic: { enabled: false } },
    },
  });
}, 60_000);
afterEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

let questions = 0;
const question = (): string => `Question number ${questions++} about one flight for many.`;

/** An answer that waits before its piece `at` until it is let go. */
function held(step: Step, at = 0): { step: Step; letGo: () => void } {
  const gate = Promise.withResolvers<void>();
  return { step: { ...step, gate: (piece) => (piece === at ? gate.promise : undefined) }, letGo: () => gate.resolve() };
}

const called = (times: number): Promise<true> => eventually(`${times} calls`, () => provider.requests.length >= times && (true as const));
const rowOf = (reply: { headers: Headers }) => operationRow(cluster, reply.headers.get('x-request-id'));

/** One question asked so many times; the others while the first is under way. */
async function askedAtOnce(body: object, times: number): Promise<Promise<Raw>[]> {
  const first = post(cluster, body);
  await called(1);
  return [first, ...Array.from({ length: times - 1 }, () => post(cluster, body))];
}

describe('identical requests under way at the same time', () => {
  test('make one call, and each has its own row: the cost with the first, the others hits', async () => {
    const { step, letGo } = held(answer('One for all.'));
    provider.script(step);
    const replies = await askedAtOnce(chat(question()), 8);
    letGo();
    const answers = await Promise.all(replies);
    expect(provider.requests).toHaveLength(1);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ headers }) => headers.get('x-cache') ?? '').sort()).toEqual([...Array<string>(7).fill('HIT-EXACT'), 'MISS']);
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(8);
    const rows = await Promise.all(answers.map(rowOf));
    const usage = rows.map(({ cache, usage_source, prompt_tokens, completion_tokens }) => ({ cache, usage_source, prompt_tokens, completion_tokens }));
    const { prompt_tokens, completion_tokens } = usage[0]!;
    expect(usage[0]).toMatchObject({ cache: 'MISS', usage_source: 'upstream' });
    for (const hit of usage.slice(1)) expect(hit).toEqual({ cache: 'HIT-EXACT', usage_source: 'cache', prompt_tokens, completion_tokens });
    expect(await attemptRows(cluster, rows[1]!.id)).toEqual([]);
    expect(rows.slice(1).map(({ cost_nano_usd }) => cost_nano_usd)).toEqual(Array(7).fill('0'));
    expect(rows.slice(1).map(({ saved_nano_usd }) => saved_nano_usd)).toEqual(Array(7).fill(rows[0]!.cost_nano_usd));
  });

  test('tail a stream live, from its beginning, wherever it is', async () => {
    const { step, letGo } = held(chunks(['one ', 'two ', 'three ', 'four']), 2);
    provider.script(step);
    const asked = chat(question(), { stream: true });
    const seen = ['', ''];
    const first = readStream(cluster, asked, (text) => (seen[0] = text));
    await eventually('the first sees two', () => seen[0]!.includes('two'));
    const second = readStream(cluster, asked, (text) => (seen[1] = text));
    await eventually('the second sees two as well', () => seen[1]!.includes('two'));
    expect(seen.join()).not.toContain('three');
    letGo();
    const [leader, follower] = await Promise.all([first, second]);
    expect(follower.text).toBe(leader.text);
    expect(follower.text).toContain('[DONE]');
    expect(provider.requests).toHaveLength(1);
    expect([leader.headers.get('x-cache'), follower.headers.get('x-cache')]).toEqual(['MISS', 'HIT-EXACT']);
    const [bought, shared] = await Promise.all([rowOf(leader), rowOf(follower)]);
    expect(shared).toMatchObject({ outcome: 'ok', usage_source: 'cache', prompt_tokens: bought.prompt_tokens, completion_tokens: bought.completion_tokens });
    expect((await post(cluster, asked)).headers.get('x-cache-entry')).toBe(follower.headers.get('x-cache-entry'));
  });

  test('the first one leaving cancels nothing while another reads on, and its row has what was used', async () => {
    const { step, letGo } = held({ ...chunks(['one ', ...Array<string>(200).fill('more '), 'three']), chunkDelayMs: 10 }, 1);
    provider.script(step);
    const asked = chat(question(), { stream: true });
    const leaving = new AbortController();
    const first = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(asked), signal: leaving.signal });
    let seen = '';
    const second = readStream(cluster, asked, (text) => (seen = text));
    await eventually('the second has joined', () => seen.includes('one'));
    leaving.abort();
    await first.text().catch(() => undefined);
    letGo();
    expect((await second).text).toContain('three');
    expect((await second).text).toContain('[DONE]');
    expect(provider.requests[0]?.abortedAtMs).toBeNull();
    expect(await rowOf(first)).toMatchObject({ outcome: 'cancelled', usage_source: 'upstream' });
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('HIT-EXACT');
  });

  test('the last one leaving cancels the call', async () => {
    const { step, letGo } = held(chunks(['one ', 'two ']), 1);
    provider.script(step);
    const asked = chat(question(), { stream: true });
    const both = [new AbortController(), new AbortController()];
    const open = ({ signal }: AbortController): Promise<Response> =>
      fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(asked), signal });
    const first = await open(both[0]!);
    const second = await open(both[1]!);
    expect(second.headers.get('x-cache')).toBe('HIT-EXACT');
    for (const leaving of both) leaving.abort();
    await Promise.all([first, second].map((reply) => reply.text().catch(() => undefined)));
    await eventually('the call was cancelled', () => provider.requests[0]?.abortedAtMs != null);
    letGo();
    expect(await rowOf(first)).toMatchObject({ outcome: 'cancelled', usage_source: 'estimated' });
    expect(await rowOf(second)).toMatchObject({ outcome: 'cancelled', usage_source: 'none' });
  });

  test('when the first fails before its answer has begun, another takes over', async () => {
    const gate = Promise.withResolvers<void>();
    provider.script(async () => (await gate.promise, status(400, {}, { error: { message: 'not this one', type: 'invalid_request_error', param: null, code: null } })), answer('From the second.'));
    const replies = await askedAtOnce(chat(question()), 3);
    gate.resolve();
    const answers = await Promise.all(replies);
    expect(answers.map((reply) => String(reply.status)).sort()).toEqual(['200', '200', '400']);
    expect(provider.requests).toHaveLength(2);
  });

  test('a stream that breaks off is broken for all, complete for none, and kept nowhere', async () => {
    const { step, letGo } = held(cut(2, chunks(['one ', 'two ', 'three'])), 1);
    provider.script(step);
    const asked = chat(question(), { stream: true });
    let seen = '';
    const first = readStream(cluster, asked, (text) => (seen = text));
    await eventually('the first has begun', () => seen.includes('one'));
    let seenToo = '';
    const second = readStream(cluster, asked, (text) => (seenToo = text));
    await eventually('the second has joined', () => seenToo.includes('one'));
    letGo();
    for (const reply of await Promise.all([first, second])) {
      expect(reply.text).toContain('upstream_error');
      expect(reply.text).not.toContain('[DONE]');
      expect(await rowOf(reply)).toMatchObject({ outcome: 'error' });
    }
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('MISS');
  });

  test.each([['no-cache', { 'cache-control': 'no-cache' }], ['no-store', { 'cache-control': 'no-store' }], ['x-cache-mode: off', { 'x-cache-mode': 'off' }]])('with %s each makes its own call', async (_, headers) => {
    const { step, letGo } = held(answer('Mine.'));
    provider.script(step, step);
    const asked = chat(question());
    const replies = [post(cluster, asked, headers), post(cluster, asked, headers)];
    await called(2);
    letGo();
    expect((await Promise.all(replies)).map((reply) => reply.headers.get('x-cache'))).not.toContain('HIT-EXACT');
  });
});
