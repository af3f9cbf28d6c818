import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { answer, chunks, cut, fakeProvider, hang, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { toFile } from 'openai';
import { attemptRows, chat, operationRow, post, sdk, type AttemptRow, type OperationRow, type Raw } from './client.ts';
import { configUnder, putInForce } from './content-rules.ts';

/** Asks the models. A text that holds `violence-test` is flagged for violence by `judge`. */
let provider: FakeProvider;
let judge: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  [provider, judge] = [await fakeProvider(), await fakeProvider()];
  cluster = await testCluster({ config: configUnder({}, provider, judge), apps: ['gateway', 'router', 'usage-worker'] });
}, 60_000);
beforeEach(() => {
  for (const each of [provider, judge]) each.reset();
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await judge?.close();
});

/** Puts a moderation into force. It waits for a verdict as long as it takes, unless told otherwise. */
const put = (moderation: object): Promise<void> => putInForce(cluster, { moderation: { model: 'moderator', timeout_ms: 20_000, ...moderation } }, provider, judge);
const rowOf = ({ headers }: Pick<Raw, 'headers'>): Promise<OperationRow & { safety_flags?: string[] }> => operationRow(cluster, headers.get('x-request-id'));
const judged = (): unknown[] => judge.requests.map(({ body }) => (body as { input: unknown }).input);
const refused = (what: 'request' | 'answer', category: string): object => ({ code: 'content_policy_violation', message: `The ${what} was blocked by the content rule moderation:${category}.` });

let questions = 0;
const question = (text = ''): string => `Moderated question ${questions++}, ${text} if you please.`;

describe('a moderation model', () => {
  beforeAll(() => put({}));

  test('that flags a prompt keeps it from the provider', async () => {
    for (const stream of [false, true]) {
      const reply = await post(cluster, chat(question('a violence-test'), { stream }));
      expect([reply.status, reply.json.error]).toMatchObject([400, refused('request', 'violence')]);
      expect(reply.text).not.toContain('violence-test');
      expect(reply.headers.get('x-deja-attempts')).toBe('0');
      const row = await rowOf(reply);
      expect(row).toMatchObject({ outcome: 'blocked', safety_flags: ['moderation:violence'], usage_source: 'none' });
      expect(await attemptRows(cluster, row.id)).toMatchObject([{ n: 1, shadow: true, outcome: 'ok', status: 200 }]);
    }
    expect([provider.requests.length, judge.requests.length]).toEqual([0, 2]);
  });

  test('has its verdict in before the provider is called, also when it takes its time', async () => {
    const waiting = Promise.withResolvers<void>();
    judge.script(async () => (await waiting.promise, {}));
    const reply = post(cluster, chat(question()));
    await judge.waitFor(({ requests }) => requests.length === 1);
    expect(provider.requests).toEqual([]);
    waiting.resolve();
    expect((await reply).status).toBe(200);
    expect(provider.requests).toHaveLength(1);
  });

  test('is an upstream call of its own in the ledger, and no part of what the client sees or pays', async () => {
    const reply = await post(cluster, chat(question()));
    const { usage } = reply.json as { usage?: { prompt_tokens: number; completion_tokens: number } };
    expect(reply.headers.get('x-deja-attempts')).toBe('1');
    const row = await rowOf(reply);
    // gpt-4o-mini: 0.15 and 0.60 USD a million tokens. What a moderation costs is not known here, which would make the sum unknown.
    expect(row).toMatchObject({ cost_nano_usd: String(150 * usage!.prompt_tokens + 600 * usage!.completion_tokens), provider: 'fake', safety_flags: [], prompt_tokens: usage!.prompt_tokens });
    const attempts = (await attemptRows(cluster, row.id)) as (AttemptRow & { shadow?: boolean; provider?: string; model?: string })[];
    expect(attempts.map(({ shadow, provider: by, model }) => ({ shadow, by, model }))).toEqual(expect.arrayContaining([{ shadow: true, by: expect.stringMatching(/^judge/), model: 'omni-moderation-latest' }, { shadow: false, by: 'fake', model: 'gpt-4o-mini' }]));
    expect(attempts).toHaveLength(2);
  });

  test('reads every text of a request, whatever the endpoint', async () => {
    const openai = sdk(cluster);
    const text = 'a hate-test in here';
    const image = await toFile(Buffer.alloc(2_000_000, 7), 'a.png', { type: 'image/png' });
    const calls: [string, () => Promise<unknown>][] = [
      ['a part of a message', () => openai.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: [{ type: 'text', text: 'Fine.' }, { type: 'text', text }] }] })],
      ['a result of a tool', () => openai.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'tool', tool_call_id: 'x', content: text }] })],
      ['responses', () => openai.responses.create({ model: 'gpt-4o-mini', instructions: text, input: 'Hello.' })],
      ['completions', () => openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: ['Fine.', text] })],
      ['embeddings', () => openai.embeddings.create({ model: 'text-embedding-3-small', input: ['Fine.', text] })],
      ['pictures', () => openai.images.generate({ model: 'gpt-image-1', prompt: text })],
      ['speech', () => openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: text })],
      ['a form', () => openai.images.edit({ model: 'gpt-image-1', prompt: text, image })],
      ['a form whose text comes last', () => openai.images.edit({ model: 'gpt-image-1', image, prompt: text })],
    ];
    for (const [what, call] of calls) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect([what, error]).toEqual([what, expect.objectContaining({ status: 400, code: 'content_policy_violation' })]);
    }
    // Of the last one the beginning went up; it never came to its end.
    expect(provider.requests.filter(({ finishedAtMs }) => finishedAtMs !== null)).toEqual([]);
    expect(judged().flat()).toEqual(expect.arrayContaining([text]));
  });

  test('does not look at what a client wants moderated', async () => {
    const { results } = await sdk(cluster).moderations.create({ model: 'omni-moderation-latest', input: 'a violence-test' });
    expect(results[0]).toMatchObject({ flagged: true, categories: { violence: true } });
    expect(judge.requests).toEqual([]);
  });

  test('with a threshold of a category blocks from that score on, whatever it flags itself; the others stay its own', async () => {
    await put({ thresholds: { violence: 0.5, hate: 0.99 } });
    for (const category of ['violence', 'sexual']) {
      const blocked = await post(cluster, chat(question(`a ${category}-test`)));
      expect([blocked.status, blocked.json.error]).toMatchObject([400, refused('request', category)]);
    }
    const served = await post(cluster, chat(question('a hate-test')));
    expect([served.status, (await rowOf(served)).safety_flags]).toEqual([200, ['moderation:hate']]);
  });
});

describe('a moderation model that cannot be asked', () => {
  test('lets requests through, and the ledger says that nobody looked, where that is good enough', async () => {
    for (const failure of [cut(0), status(500), status(401)]) {
      await put({ on_error: 'open' });
      judge.script(failure);
      const reply = await post(cluster, chat(question('a violence-test')));
      expect(reply.status).toBe(200);
      const row = await rowOf(reply);
      expect(row).toMatchObject({ outcome: 'ok', safety_flags: ['moderation:unavailable'] });
      expect(await attemptRows(cluster, row.id)).toEqual(expect.arrayContaining([expect.objectContaining({ shadow: true, outcome: 'error' })]));
    }
    await put({ on_error: 'open', timeout_ms: 100 });
    judge.script(hang());
    const late = await post(cluster, chat(question('a violence-test')));
    expect([late.status, (await rowOf(late)).safety_flags]).toEqual([200, ['moderation:unavailable']]);
  });

  test('holds everything up with a 503, where it is not', async () => {
    for (const failure of [cut(0), hang()]) {
      await put({ on_error: 'closed', timeout_ms: 100 });
      judge.script(failure);
      const reply = await post(cluster, chat(question()));
      expect([reply.status, reply.json.error?.code, reply.headers.get('x-should-retry')]).toEqual([503, 'overloaded', 'true']);
      expect(await rowOf(reply)).toMatchObject({ outcome: 'error', error_code: 'overloaded', safety_flags: ['moderation:unavailable'] });
    }
    expect(provider.requests).toEqual([]);
  });

  test('keeps nobody waiting whose answer is in the cache', async () => {
    await put({ on_error: 'closed' });
    const asked = chat(question());
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('MISS');
    judge.script(hang());
    const hit = await post(cluster, asked);
    expect([hit.status, hit.headers.get('x-cache')]).toEqual([200, 'HIT-EXACT']);
    expect((await rowOf(hit)).safety_flags).toEqual([]);
  });
});

describe('a moderation model that watches over answers', () => {
  beforeAll(() => put({ answers: true }));
  const story = 'It was a dark and stormy night at the manor, and nobody who lived there had slept for days on end. The old clock struck twelve, then the wind fell, and far below in the kitchen a single candle was burning. ';

  test('blocks a whole one: it is billed, and never cached', async () => {
    const asked = chat(question());
    provider.script(answer('Here you are: a violence-test.'));
    const reply = await post(cluster, asked);
    expect([reply.status, reply.json.error]).toMatchObject([400, refused('answer', 'violence')]);
    expect(reply.text).not.toContain('violence-test');
    const row = await rowOf(reply);
    expect(row).toMatchObject({ outcome: 'blocked', usage_source: 'upstream', safety_flags: ['moderation:violence'] });
    expect(Number(row.cost_nano_usd)).toBeGreaterThan(0);
    expect((await post(cluster, asked)).headers.get('x-cache')).toBe('MISS');
    expect(judged()).toHaveLength(4);
  });

  test('holds a streamed one back until the verdict is in', async () => {
    const verdict = Promise.withResolvers<void>();
    judge.script({}, async () => (await verdict.promise, {}));
    provider.script(chunks(['One short ', 'answer, ', 'in pieces.']));
    let got = '';
    const reading = (async () => {
      for await (const chunk of await sdk(cluster).chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: question() }], stream: true })) got += chunk.choices[0]?.delta.content ?? '';
    })();
    await judge.waitFor(({ requests }) => requests.length === 2);
    await provider.waitFor(({ requests }) => requests[0]?.finishedAtMs !== null);
    expect(got).toBe('');
    expect(judged()[1]).toEqual(['One short answer, in pieces.']);
    verdict.resolve();
    await reading;
    expect(got).toBe('One short answer, in pieces.');
  });

  test('refuses a streamed one of which nothing has gone out, and ends one of which something has with an error event', async () => {
    provider.script(chunks(['Here comes ', 'a violence-', 'test.']));
    const refusal = await post(cluster, chat(question(), { stream: true }));
    expect([refusal.status, refusal.json.error]).toMatchObject([400, refused('answer', 'violence')]);

    provider.script(chunks([story, 'Then there was ', 'a violence-', 'test.'], { gate: (chunk) => (chunk === 1 ? judge.waitFor(({ requests }) => requests.length === 4) : undefined) }));
    const asked = chat(question(), { stream: true });
    const ended = await post(cluster, asked);
    expect(ended.status).toBe(200);
    expect(ended.text).toContain('stormy night');
    expect(ended.text).not.toMatch(/violence-|\[DONE\]/);
    expect(JSON.parse(ended.text.trim().split('\n\n').at(-1)!.replace('data: ', ''))).toMatchObject({ error: refused('answer', 'violence') });
    expect(await rowOf(ended)).toMatchObject({ status: 200, outcome: 'blocked', safety_flags: ['moderation:violence'] });
    expect((await post(cluster, { ...asked, stream: false })).headers.get('x-cache')).toBe('MISS');
  });

  test('watches over a stored response when it is fetched, too', async () => {
    provider.script(answer('A harmless beginning.'));
    const { id } = await sdk(cluster).responses.create({ model: 'gpt-4o-mini', input: question(), background: true });
    judge.script(() => ({ raw: { contentType: 'application/json', body: JSON.stringify({ results: [{ flagged: true, categories: { hate: true }, category_scores: { hate: 1 } }] }) } }));
    await expect(sdk(cluster).responses.retrieve(id)).rejects.toMatchObject({ status: 400, error: refused('answer', 'hate') });
    expect((await sdk(cluster).responses.retrieve(id)).output_text).toBe('A harmless beginning.');
  });
});
