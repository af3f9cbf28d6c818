import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { ask, attemptRows, chat, eventually, operationRow, post, sdk } from './client.ts';
import { TraceCollector } from './trace-collector.ts';

let provider: FakeProvider;
let collector: TraceCollector;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  collector = await TraceCollector.start();
  cluster = await testCluster({ provider: { url: provider.url }, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' } });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await collector?.close();
});

describe('one request, end to end', () => {
  test('the official SDK gets a whole answer, and the same question again comes from the cache and costs nothing', async () => {
    const question = { model: 'gpt-4o-mini', messages: ask('Name the capital of France, please.') };
    const first = await sdk(cluster).chat.completions.create(question).withResponse();
    const again = await sdk(cluster).chat.completions.create(question).withResponse();
    expect(again.data).toEqual(first.data);
    expect([first, again].map(({ response }) => response.headers.get('x-cache'))).toEqual(['MISS', 'HIT-EXACT']);
    expect(provider.requests).toHaveLength(1);

    const bought = await operationRow(cluster, first.response.headers.get('x-request-id'));
    expect(bought).toMatchObject({ tenant: 'default', status: 200, outcome: 'ok', cache: 'MISS', usage_source: 'upstream', prompt_tokens: first.data.usage?.prompt_tokens, completion_tokens: first.data.usage?.completion_tokens });
    // gpt-4o-mini: 0.15 and 0.60 USD a million tokens, in nano-USD.
    const cost = 150 * (first.data.usage?.prompt_tokens ?? 0) + 600 * (first.data.usage?.completion_tokens ?? 0);
    expect(bought.cost_nano_usd).toBe(String(cost));
    expect(Number(first.response.headers.get('x-deja-cost-usd'))).toBeCloseTo(cost / 1e9, 12);
    expect(await attemptRows(cluster, bought.id)).toMatchObject([{ n: 1, status: 200, outcome: 'ok', cost_nano_usd: String(cost) }]);

    const hit = await operationRow(cluster, again.response.headers.get('x-request-id'));
    expect(hit).toMatchObject({ cache: 'HIT-EXACT', usage_source: 'cache', prompt_tokens: first.data.usage?.prompt_tokens, cost_nano_usd: '0', saved_nano_usd: String(cost) });
    expect(await attemptRows(cluster, hit.id)).toEqual([]);
  });

  test('the next request on the same connection finds the answer, every time', async () => {
    const openai = sdk(cluster);
    const outcomes = new Set<string | null>();
    for (let i = 0; i < 60; i++) {
      const question = { model: 'gpt-4o-mini', messages: ask(`Twice in a row, number ${i}, please.`) };
      await openai.chat.completions.create(question);
      outcomes.add((await openai.chat.completions.create(question).withResponse()).response.headers.get('x-cache'));
    }
    expect([...outcomes]).toEqual(['HIT-EXACT']);
  });

  test('a stream is a stream whoever made the entry, and a whole answer a whole one', async () => {
    const question = { model: 'gpt-4o-mini', messages: ask('Stream me something about rivers.') };
    const read = async (): Promise<{ text: string; finish: string | null | undefined; usage: unknown; cache: string | null }> => {
      const { data, response } = await sdk(cluster).chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } }).withResponse();
      let text = '';
      let finish: string | null | undefined;
      let usage: unknown;
      for await (const chunk of data) {
        text += chunk.choices[0]?.delta.content ?? '';
        finish = chunk.choices[0]?.finish_reason ?? finish;
        usage = chunk.usage ?? usage;
      }
      return { text, finish, usage, cache: response.headers.get('x-cache') };
    };
    const made = await read();
    const replayed = await read();
    expect(made).toMatchObject({ cache: 'MISS', finish: 'stop' });
    expect(replayed).toEqual({ ...made, cache: 'HIT-EXACT' });
    const whole = await sdk(cluster).chat.completions.create(question).withResponse();
    expect(whole.response.headers.get('x-cache')).toBe('HIT-EXACT');
    expect(whole.data).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant', content: made.text }, finish_reason: 'stop' }], usage: made.usage });
  });

  test('usage is asked of the provider, and shown only to a client that asked', async () => {
    const quiet = await post(cluster, chat('No usage for me in this stream.', { stream: true }));
    expect(quiet.text).not.toMatch(/"usage":\{/);
    expect(quiet.text.trimEnd()).toMatch(/data: \[DONE\]$/);
    expect(provider.requests.at(-1)?.body).toMatchObject({ stream_options: { include_usage: true } });
    expect(await operationRow(cluster, quiet.headers.get('x-request-id'))).toMatchObject({ usage_source: 'upstream', stream: true });
  });

  test('a question that differs only in case, white space and end punctuation is answered by the semantic cache', async () => {
    const first = await post(cluster, chat('What is the tallest mountain of Europe?'));
    expect(first.headers.get('x-cache')).toBe('MISS');
    const again = await eventually('a semantic hit', async () => {
      const reply = await post(cluster, chat('what is  the tallest mountain of europe'), { 'cache-control': 'no-store' });
      return reply.headers.get('x-cache') === 'HIT-SEMANTIC' ? reply : null;
    });
    expect(again.text).toBe(first.text);
    expect(again.headers.get('x-cache-similarity')).toMatch(/^(1|0\.9\d*)/);
    expect(await operationRow(cluster, again.headers.get('x-request-id'))).toMatchObject({ cache: 'HIT-SEMANTIC', cost_nano_usd: '0' });
    const other = await post(cluster, chat('What is the smallest mountain of Europe?'));
    expect(other.headers.get('x-cache')).toBe('MISS');
  });

  test('what the gateway does not know passes untouched, with every digit', async () => {
    await post(cluster, '{"model":"gpt-4o-mini", "messages":[{"role":"user","content":"Big numbers stay big here."}], "seed": 9007199254740993, "future_option": {"x": 1.50}}');
    expect(provider.requests.at(-1)?.rawBody.toString()).toBe('{"model":"gpt-4o-mini", "messages":[{"role":"user","content":"Big numbers stay big here."}], "seed": 9007199254740993, "future_option": {"x": 1.50}}');
  });

  test('a user, tags and an unknown price reach the ledger as what they are', async () => {
    const reply = await post(cluster, { ...chat('Hello to the unknown model over there.'), model: 'model-without-a-price' }, { 'x-deja-user': 'ann', 'x-deja-tags': 'team=blue, feature=search' });
    expect(reply.headers.get('x-deja-cost-usd')).toBeNull();
    expect(await operationRow(cluster, reply.headers.get('x-request-id'))).toMatchObject({ user: 'ann', tags: { team: 'blue', feature: 'search' }, cost_nano_usd: null });
  });

  test('models are listed by their public names; any name is served where the configuration says so', async () => {
    expect((await sdk(cluster).models.list()).data).toEqual([]);
    expect(await sdk(cluster).models.retrieve('gpt-4o-mini')).toMatchObject({ id: 'gpt-4o-mini', object: 'model' });
  });

  test('one trace leads from the client over gateway, router and semantic-cache to the provider, and a link from it into the usage-worker', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    // Its partition holds an entry, so that the second one asks the semantic-cache too.
    await post(cluster, chat('Which planet is the largest of all?', { temperature: 0.5 }));
    await eventually('the look-up in the trace', async () => {
      await post(cluster, chat('Which planet is the second largest of all?', { temperature: 0.5 }), { traceparent, 'cache-control': 'no-store' });
      return collector.spans.some((span) => span.traceId === traceId && span.name.includes('lookup'));
    });
    const services = (): Set<string> => new Set(collector.spans.filter((span) => span.traceId === traceId).map((span) => span.service.replace('deja-', '')));
    await eventually('spans of all services', () => services().has('semantic-cache') && services().has('gateway'));
    await eventually('a link from the usage-worker', () => collector.spans.find((span) => span.service.includes('usage-worker') && span.links.includes(traceId)));
    const spans = await eventually('every span’s parent', () => {
      const found = collector.spans.filter((span) => span.traceId === traceId);
      const ids = new Set([...found.map((span) => span.spanId), 'b7ad6b7169203331']);
      return found.every((span) => ids.has(span.parentSpanId ?? '')) && found;
    });
    const upstream = spans.find((span) => span.name === 'chat gpt-4o-mini');
    expect(upstream?.attributes).toMatchObject({ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'gpt-4o-mini', 'gen_ai.provider.name': 'openai', 'deja.provider': 'fake' });
    expect(provider.requests.map((request) => String(request.headers['traceparent']))).toContainEqual(expect.stringContaining(`${traceId}-${upstream?.spanId}`));
    // Resolving a key happens once per gateway: the first request's trace has it.
    expect(collector.spans.some((span) => span.service.includes('router') && span.name.includes('resolve_key'))).toBe(true);
    expect(JSON.stringify(collector.spans)).not.toContain('planet');
  });

  test('a client whose base URL lacks /v1 is understood', async () => {
    expect((await post(cluster, chat('Without the version in the path, please.'), {}, '/chat/completions')).status).toBe(200);
    expect((await fetch(`${cluster.url}/models/some-model`, { headers: { authorization: `Bearer ${cluster.key}` } })).status).toBe(200);
  });

  test('every app says on its ops port that it lives and is ready, and shows metrics', async () => {
    for (const { app } of cluster.apps) {
      const read = async (path: string): Promise<[number, string]> => {
        const response = await fetch(`${cluster.opsUrl(app)}${path}`);
        return [response.status, await response.text()];
      };
      expect(await read('/healthz')).toEqual([200, expect.any(String)]);
      expect(await read('/readyz')).toEqual([200, expect.stringContaining('"ready":true')]);
      expect(await read('/metrics')).toEqual([200, expect.stringMatching(/^process_cpu_time/m)]);
    }
  });
});
