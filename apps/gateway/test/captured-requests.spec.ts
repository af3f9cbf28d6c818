import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { safetyRules, safetySchema } from '@deja/content-safety';
import { answer, chunks, eventually, raw, status } from '@deja/testing';
import { GatewayStage } from './gateway-stage.ts';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
});
afterEach(() => stage.provider.reset());
afterAll(() => stage.stop());

const rules = (safety: object) => ({ content_safety: safetyRules(safetySchema.parse(safety)).rules });
const CARD = '4111 1111 1111 1111';
let questions = 0;
const chat = (more: object = {}, text = `Question ${(questions += 1)}?`) => ({ model: 'm', messages: [{ role: 'user', content: text }], ...more });
const message = (content: string) => ({ choices: [{ message: { role: 'assistant', content } }] });

describe('the request log has', () => {
  test('a whole answer as the client got it, also from the cache', async () => {
    stage.provider.script(answer('Paris.'));
    const asked = chat();
    const { response, id } = await stage.post('chat/completions', asked);
    const got = await response.json();
    expect(await stage.captured(id)).toEqual({ mode: 'full', request: asked, response: got, searchText: null });
    const again = await stage.post('chat/completions', asked);
    expect(again.response.headers.get('x-cache')).toBe('HIT-EXACT');
    expect(await stage.captured(again.id)).toMatchObject({ request: asked, response: await again.response.json() });
  });

  test('a stream as the answer it comes to, for everybody who shares it', async () => {
    const { promise: bothBegun, resolve: begun } = Promise.withResolvers<void>();
    stage.provider.script(chunks(['Pa', 'ris', '.'], { gate: (chunk) => (chunk === 1 ? bothBegun : undefined) }));
    const asked = chat({ stream: true });
    const both = await Promise.all([stage.post('chat/completions', asked), stage.post('chat/completions', asked)]);
    begun();
    for (const { response, id } of both) {
      expect(await response.text()).toContain('data: [DONE]');
      expect(await stage.captured(id)).toMatchObject({ request: asked, response: { object: 'chat.completion', ...message('Paris.') } });
    }
    expect(stage.provider.requests).toHaveLength(1);
  });

  test('what had come of a stream that broke off, with the error that ended it', async () => {
    stage.provider.script(chunks(['Half ', 'an answer', ' and more'], { cutAfter: 2 }));
    const { response, id } = await stage.post('chat/completions', chat({ stream: true }));
    expect(await response.text()).toContain('upstream_error');
    expect(await stage.captured(id)).toMatchObject({ response: { ...message('Half an answer'), error: { code: 'upstream_error' } } });
  });

  test('what had come of a stream whose client left', async () => {
    stage.provider.script(chunks(['Half ', 'an answer'], { hangAfter: 1 }));
    const leave = new AbortController();
    const { response, id } = await stage.post('chat/completions', chat({ stream: true }), { signal: leave.signal });
    await response.body!.getReader().read();
    leave.abort();
    expect((await stage.captured(id)).response).toMatchObject(message('Half '));
  });

  test('an error in place of an answer, and of a request that is none its length', async () => {
    stage.provider.script(status(400, {}, { error: { message: 'No.', type: 'invalid_request_error', param: null, code: null } }));
    const { response, id } = await stage.post('chat/completions', chat());
    expect((await stage.captured(id)).response).toEqual(await response.json());
    const broken = await stage.post('chat/completions', '{"messages": "hel');
    expect(await stage.captured(broken.id)).toMatchObject({ request: { chars: 17 }, response: { error: { code: 'invalid_json' } } });
  });

  test('embeddings without their vectors', async () => {
    const asked = { model: 'e', input: ['one', 'two'] };
    const { id } = await stage.post('embeddings', asked);
    const bought = await stage.captured(id);
    expect(bought.request).toEqual(asked);
    expect(bought.response).toMatchObject({ object: 'list', data: [{ index: 0, embedding: { numbers: expect.any(Number) } }, { index: 1 }] });
    const hit = await stage.post('embeddings', asked);
    expect(hit.response.headers.get('x-cache')).toBe('HIT-EXACT');
    expect((await stage.captured(hit.id)).response).toEqual(bought.response);
  });

  test('of a form nothing but that it was one, and of an answer in sound its size', async () => {
    stage.provider.script(raw({ contentType: 'application/json', body: '{"text":"heard"}' }));
    const form = new FormData();
    form.set('model', 'm');
    form.set('file', new Blob(['sound']), 'a.wav');
    const { id } = await stage.post('audio/transcriptions', form);
    expect(await stage.captured(id)).toMatchObject({ request: { left_out: true, content_type: 'multipart/form-data' }, response: { text: 'heard' } });
    stage.provider.script(raw({ contentType: 'audio/mpeg', body: Buffer.alloc(1000) }));
    const asked = { model: 'm', input: 'Say it.', voice: 'alloy' };
    const spoken = await stage.post('audio/speech', asked);
    await spoken.response.arrayBuffer();
    expect(await stage.captured(spoken.id)).toMatchObject({ request: asked, response: { left_out: true, content_type: 'audio/mpeg', bytes: 1000 } });
  });

  test('what the tenant or the key allow, as of the end of the request', async () => {
    await stage.configure({ capture: 'metadata' });
    const { id } = await stage.post('chat/completions', chat({}, 'How long is this?'));
    expect(await stage.captured(id)).toMatchObject({ mode: 'metadata', request: { messages: [{ role: 'user', content: { chars: 17 } }] } });
    await stage.configure({ capture: 'none' });
    const none = await stage.post('chat/completions', chat());
    await stage.configure({});
    const next = await stage.post('chat/completions', chat());
    await stage.captured(next.id);
    expect((await stage.exchanges()).some(({ operation }) => operation === none.id)).toBe(false);
  });

  test('the words of prompts in clear where they are to be searched, and only there', async () => {
    await stage.configure({ request_log: { retention_days: 7, search: true } });
    const { id } = await stage.post('chat/completions', chat({}, 'Where is the treasure?'));
    expect((await stage.captured(id)).searchText).toBe('Where is the treasure?');
    await stage.configure({});
  });
});

describe('content rules', () => {
  afterEach(() => stage.configure({}));

  test('take out of the log what they take out of prompts and answers', async () => {
    await stage.configure(rules({ pii: { prompts: 'redact', answers: 'redact' } }));
    stage.provider.script(answer(`Your card is ${CARD}.`));
    const { id } = await stage.post('chat/completions', chat({}, `My card is ${CARD}.`));
    const captured = JSON.stringify(await stage.captured(id));
    expect(captured).toContain('[redacted:payment_card]');
    expect(captured).not.toContain('4111');
  });

  test('leave the shape of a prompt that they block, and nothing that stands in it', async () => {
    await stage.configure({ ...rules({ pii: 'block' }), request_log: { retention_days: 7, search: true } });
    const { id } = await stage.post('chat/completions', chat({}, `My card is ${CARD}.`));
    expect(await stage.captured(id)).toEqual({
      mode: 'full', request: { model: 'm', messages: [{ role: 'user', content: { chars: 31 } }] }, response: { error: expect.objectContaining({ code: 'content_policy_violation' }) }, searchText: null,
    });
  });

  test('that pass over moderations have these logged as their shape', async () => {
    await stage.configure(rules({ pii: 'redact' }));
    const { id } = await stage.post('moderations', { model: 'omni-moderation-latest', input: `My card is ${CARD}.` });
    expect((await stage.captured(id)).request).toEqual({ model: 'omni-moderation-latest', input: { chars: 31 } });
  });

  test('that end a streamed answer end it in the log too', async () => {
    await stage.configure(rules({ deny: [{ name: 'falcon', pattern: 'falcon', action: 'block', on: 'answers' }] }));
    stage.provider.script(chunks(['It is called. ', 'The falcon', ' of the house.']));
    const { response, id } = await stage.post('chat/completions', chat({ stream: true }));
    await response.text();
    const captured = await stage.captured(id);
    expect(captured.response).toMatchObject({ error: { code: 'content_policy_violation' } });
    expect(JSON.stringify(captured)).not.toContain('falcon of');
  });
});

describe('a moderation model', () => {
  test('that keeps the rest of a streamed answer from the client leaves its shape in the log', async () => {
    await stage.configure({ content_safety: { ...safetyRules(safetySchema.parse({})).rules, moderation: { model: 'omni-moderation-latest', on_error: 'open', timeout_ms: 20_000, thresholds: {}, answers: true } } });
    const { promise: firstIsRead, resolve: read } = Promise.withResolvers<void>();
    const said = ['All is well. '.repeat(20), 'But here is a violence-test. '.repeat(20)];
    stage.provider.script({}, chunks(said, { gate: (chunk) => (chunk === 1 ? firstIsRead : undefined) })); // the prompt is moderated first
    const { response, id } = await stage.post('chat/completions', chat({ stream: true }));
    read();
    const text = await response.text();
    expect([text.includes('All is well.'), text.includes('violence-test')]).toEqual([true, false]);
    expect((await stage.captured(id)).response).toMatchObject({ choices: [{ message: { role: 'assistant', content: { chars: expect.any(Number) } } }], error: { code: 'content_policy_violation' } });
    await stage.configure({});
  });
});

describe('requests are answered as ever', () => {
  test('while nobody gives out keys: what is captured goes out when somebody does', async () => {
    await stage.push({ kind: 'tenant_changed', tenant: 'acme' });
    stage.dataKeys.isAway = true;
    await eventually('the old key to be forgotten', async () => {
      const { response, id } = await stage.post('chat/completions', chat());
      expect(response.status).toBe(200);
      return stage.dataKeys.asked.length > 1 && id;
    });
    const { response, id } = await stage.post('chat/completions', chat());
    expect(response.status).toBe(200);
    stage.dataKeys.isAway = false;
    expect(await stage.captured(id)).toMatchObject({ mode: 'full' });
  });

  test('after a key was destroyed: a new one seals what comes, and the old captures open no more', async () => {
    const before = await stage.post('chat/completions', chat());
    await stage.captured(before.id);
    stage.dataKeys.shred('acme');
    await stage.push({ kind: 'tenant_changed', tenant: 'acme' });
    const asked = stage.dataKeys.asked.length;
    await eventually('a new key', async () => {
      await stage.post('chat/completions', chat());
      return stage.dataKeys.asked.length > asked;
    });
    const after = await stage.post('chat/completions', chat());
    expect(await stage.captured(after.id)).toMatchObject({ mode: 'full' });
    await expect(stage.captured(before.id)).rejects.toThrow('was destroyed');
  });

  test('while Redis is away: what is captured is on the disk, sealed, and comes when it is back', async () => {
    const before = await stage.post('chat/completions', chat());
    await stage.captured(before.id);
    await stage.redis.kill();
    const { response, id } = await stage.post('chat/completions', chat());
    expect(response.status).toBe(200);
    await stage.redis.restart();
    expect(await stage.captured(id)).toMatchObject({ mode: 'full' });
  });
});
