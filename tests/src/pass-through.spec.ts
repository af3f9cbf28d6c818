import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { bigStream, cut, fakeProvider, hang, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import OpenAI, { toFile } from 'openai';
import { attemptRows, chat, eventually, operationRow, post, sdk, type OperationRow } from './client.ts';
import { END, field, fileHead, fileIn, openForm, sha256, type OpenForm } from './form-bytes.ts';
import { newKey, sdkWith } from './tenant-keys.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  const credentials = ['a', 'b'].map((name) => ({ name, value: `sk-upstream-${name}` }));
  cluster = await testCluster({
    config: {
      // Two more of the same, but without sound: what fails there is not held against the first.
      providers: Object.fromEntries(['fake', 'failing', 'limited'].map((name) => [name, { kind: 'openai', server: name === 'fake' ? 'openai' : 'xai', base_url: provider.url, credentials }])),
      models: [
        { name: 'ears', deployments: [{ provider: 'fake', model: 'gpt-4o-transcribe' }] },
        ...['failing', 'limited'].map((name) => ({ name, deployments: [{ provider: name, model: 'grok-2-image' }] })),
        { name: '*', deployments: [{ provider: 'fake', model: '*' }] },
      ],
      timeouts: { first_byte_ms: 12_000, idle_ms: 20_000, unary_ms: 120_000 },
      retries: { max_attempts: 2 },
    },
    apps: ['gateway', 'router', 'usage-worker'],
  });
}, 60_000);
beforeEach(() => provider.reset());
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

type Row = OperationRow & { endpoint?: string };
const rowOf = (id: string | null | undefined): Promise<Row> => operationRow(cluster, id ?? null);
/** The ledger's rows of one endpoint, newest first. */
const rowsOf = (endpoint: string): Promise<Row[]> => cluster.sql<Row & { [column: string]: unknown }>('select * from usage.operations where endpoint = $1 order by received_at desc', [endpoint]);


const form = (path: string, key = cluster.key): OpenForm => openForm(`${cluster.url}/v1/${path}`, key);

const MEGABYTES = 192;
const gatewayRssMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cluster.pid('gateway')}/status`, 'utf8'))?.[1]) / 1024;

describe('an upload', () => {
  test('streams by: the provider has its beginning before the client has sent its end, and the gateway never holds it', async () => {
    const content = randomBytes(1024 * 1024);
    const hash = createHash('sha256');
    let before = 0;
    let after = Number.POSITIVE_INFINITY;
    const { sending, write, reply } = form('files');
    await write(field('purpose', 'user_data') + fileHead('file', 'big.bin'));
    for (let i = 0; i < MEGABYTES; i++) {
      await write(content);
      hash.update(content);
      if (i >= MEGABYTES - 20) after = Math.min(after, gatewayRssMb()); // garbage comes and goes; what is held stays
      if (i !== 20) continue;
      await provider.waitFor(({ requests }) => requests[0]?.path === '/v1/files');
      before = gatewayRssMb(); // with all that it needs for an upload
    }
    const grownMb = after - before;
    sending.end(END);
    const { status: code, id, json } = await reply;
    expect([code, json]).toMatchObject([200, { object: 'file', bytes: MEGABYTES * 1024 * 1024, filename: 'big.bin', purpose: 'user_data' }]);
    expect(fileIn(provider.requests[0]?.form).sha256).toBe(hash.digest('hex'));
    expect(grownMb).toBeLessThan((MEGABYTES - 20) * 0.6);
    expect(await rowOf(id)).toMatchObject({ endpoint: 'files', status: 200, outcome: 'ok', cost_nano_usd: '0', prompt_tokens: 0 });
  });

  test('may take longer than a provider may take to answer', async () => {
    const { sending, write, reply } = form('files');
    await write(field('purpose', 'batch') + fileHead('file', 'slow.jsonl'));
    await write(Buffer.alloc(2 * 1024 * 1024, 'x'));
    await provider.waitFor(({ requests }) => requests.length === 1);
    // As long as it takes another request to run into that deadline.
    provider.script(hang());
    const other = post(cluster, chat('Nobody answers this one at first.', { model: 'failing', stream: true }));
    await provider.waitFor(({ requests }) => requests[1]?.abortedAtMs != null, 30_000);
    expect((await other).status).toBe(200);
    sending.end(END);
    expect(await reply).toMatchObject({ status: 200, json: { filename: 'slow.jsonl' } });
  });

  test('names its model before the file or after it, and the provider gets its own name for it', async () => {
    const audio = randomBytes(3 * 1024 * 1024);
    for (const parts of [[field('model', 'ears'), fileHead('file', 'a.wav'), audio, '\r\n', field('language', 'en')], [fileHead('file', 'a.wav'), audio, '\r\n', field('language', 'en'), field('model', 'ears')]]) {
      const { sending, write, reply } = form('audio/transcriptions');
      for (const part of parts) await write(part);
      sending.end(END.slice(2));
      const { status: code, id, json } = await reply;
      expect([code, json['text']]).toEqual([200, `Heard ${audio.length} bytes of a.wav.`]);
      expect(provider.requests.at(-1)?.form).toMatchObject({ model: 'gpt-4o-transcribe', language: 'en', file: { size: audio.length, sha256: sha256(audio) } });
      expect(await rowOf(id)).toMatchObject({ endpoint: 'audio/transcriptions', requested_model: 'ears', model: 'ears', usage_source: 'upstream', cost_nano_usd: null });
    }
  });

  test('without a model, or with two, is refused before the provider has it all', async () => {
    const audio = randomBytes(2 * 1024 * 1024);
    for (const [fields, code] of [[[], 'missing_required_parameter'], [[field('model', 'ears'), field('model', 'no-such')], 'invalid_value']] as const) {
      const { sending, write, reply } = form('audio/transcriptions');
      if (fields[0]) await write(fields[0]);
      await write(fileHead('file', 'a.wav'));
      await write(audio);
      sending.end(`\r\n${fields[1] ?? field('language', 'en')}${END.slice(2)}`);
      expect(await reply).toMatchObject({ status: 400, json: { error: { code, param: 'model' } } });
    }
    await eventually('nothing to be under way', () => provider.inFlight === 0);
    expect(provider.requests.filter(({ finishedAtMs }) => finishedAtMs !== null)).toEqual([]);
  });

  test('of a file without its purpose, with two, or without the file is refused before the provider has it all', async () => {
    const big = randomBytes(2 * 1024 * 1024);
    const purpose = field('purpose', 'batch');
    for (const content of [Buffer.from('{}'), big]) {
      for (const [parts, code, param] of [
        [[fileHead('file', 'a.jsonl'), content, '\r\n', field('note', 'x')], 'missing_required_parameter', 'purpose'],
        [[purpose, fileHead('file', 'a.jsonl'), content, '\r\n', field('purpose', 'vision')], 'invalid_value', 'purpose'],
        [[purpose, fileHead('files', 'a.jsonl'), content, '\r\n', purpose.replace('purpose', 'note')], 'missing_required_parameter', 'file'],
      ] as const) {
        const { sending, write, reply } = form('files');
        for (const part of parts) await write(part);
        sending.end(END.slice(2));
        expect(await reply).toMatchObject({ status: 400, json: { error: { code, param } } });
      }
    }
    await eventually('nothing to be under way', () => provider.inFlight === 0);
    expect(provider.requests.filter(({ finishedAtMs }) => finishedAtMs !== null)).toEqual([]);
  });

  test('cannot slip a model past a key that may not use it', async () => {
    const key = await newKey(cluster, 'narrow', { models: ['ears'] });
    const audio = randomBytes(2 * 1024 * 1024);
    for (const late of [false, true]) {
      const { sending, write, reply } = form('audio/transcriptions', key);
      if (!late) await write(field('model', 'whisper-1'));
      await write(fileHead('file', 'a.wav'));
      await write(audio);
      sending.end(`\r\n${late ? field('model', 'whisper-1') : ''}${END.slice(2)}`);
      expect(await reply).toMatchObject({ status: 403, json: { error: { code: 'model_not_allowed', param: 'model' } } });
    }
    await eventually('nothing to be under way', () => provider.inFlight === 0);
    expect(provider.requests.filter(({ finishedAtMs }) => finishedAtMs !== null)).toEqual([]);
    const openai = sdkWith(cluster, key);
    await expect(openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' })).rejects.toMatchObject({ status: 403 });
    expect((await openai.audio.transcriptions.create({ model: 'ears', file: await toFile(audio, 'b.wav') })).text).toContain('b.wav');
  });

  test('of several pictures arrives with all of them, in order', async () => {
    const pictures = [randomBytes(300_000), randomBytes(5), randomBytes(70_000)];
    const image = await Promise.all(pictures.map((bytes, i) => toFile(bytes, `${i}.png`, { type: 'image/png' })));
    const edited = await sdk(cluster).images.edit({ image, prompt: 'Zwölf Hüte', model: 'gpt-image-1', n: 2 }).withResponse();
    expect(edited.data.data).toHaveLength(2);
    expect(provider.requests[0]?.form).toMatchObject({ prompt: 'Zwölf Hüte', n: '2', 'image[]': pictures.map((bytes, i) => ({ filename: `${i}.png`, contentType: 'image/png', sha256: sha256(bytes) })) });
    const row = await rowOf(edited.response.headers.get('x-request-id'));
    const given = 3 * 194;
    // gpt-image-1: $5 for a million tokens of the prompt's text, $10 for those of its pictures, $40 for those that are made.
    const cost = 5_000 * (Number(row.prompt_tokens) - given) + 10_000 * given + 40_000 * 544;
    expect(row).toMatchObject({ endpoint: 'images/edits', outcome: 'ok', usage_source: 'upstream', completion_tokens: 544, cost_nano_usd: String(cost) });
  });

  test('whose client leaves ends the provider’s call too', async () => {
    const { sending, write } = form('files');
    await write(field('purpose', 'batch') + fileHead('file', 'left.jsonl'));
    await write(Buffer.alloc(2 * 1024 * 1024, 'x'));
    await provider.waitFor(({ requests }) => requests.length === 1);
    sending.destroy();
    await provider.waitFor(({ requests }) => requests[0]?.abortedAtMs != null);
    const row = await eventually('the row', async () => (await rowsOf('files')).find(({ outcome }) => outcome === 'cancelled'));
    expect(row).toMatchObject({ status: 499, outcome: 'cancelled' });
    expect(await attemptRows(cluster, row.id)).toMatchObject([{ outcome: 'cancelled' }]);
  });
});

describe('a download', () => {
  test('of speech comes as it is made, byte for byte', async () => {
    const heard = Promise.withResolvers<void>();
    const pieces = Array.from({ length: 5 }, () => randomBytes(10_000));
    provider.script({ raw: { contentType: 'audio/mpeg', body: pieces }, gate: (chunk) => (chunk === 1 ? heard.promise : undefined) });
    const response = await sdk(cluster).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello, world.' });
    expect(response.headers.get('content-type')).toBe('audio/mpeg');
    const got: Uint8Array[] = [];
    for await (const piece of response.body!) {
      got.push(piece);
      heard.resolve(); // only now the provider goes on
    }
    expect(sha256(Buffer.concat(got))).toBe(sha256(Buffer.concat(pieces)));
    expect(await rowOf(response.headers.get('x-request-id'))).toMatchObject({ endpoint: 'audio/speech', status: 200, outcome: 'ok', cache: 'BYPASS', cost_nano_usd: String(15_000 * 'Hello, world.'.length) });
  });

  test('is not lost over a header that cannot be sent on, and is never taken for a page', async () => {
    const body = randomBytes(100);
    provider.script({ raw: { contentType: 'audio/mpeg', headers: { 'content-disposition': 'attachment; filename="h\u00f6r.mp3"', 'openai-version': '2020-10-01' }, body: [body] } });
    const response = await sdk(cluster).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Listen.' });
    expect([response.status, response.headers.get('content-disposition'), response.headers.get('openai-version'), response.headers.get('x-content-type-options')]).toEqual([200, null, '2020-10-01', 'nosniff']);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
  });

  test('that breaks off looks broken to the client, and is an error in the ledger', async () => {
    provider.script(cut(2, { raw: { contentType: 'audio/mpeg', body: Array.from({ length: 4 }, () => randomBytes(10_000)) } }));
    const response = await sdk(cluster).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Half of it.' });
    await expect(response.arrayBuffer()).rejects.toThrow(/terminated|aborted|premature/i);
    expect(await rowOf(response.headers.get('x-request-id'))).toMatchObject({ outcome: 'error', error_code: 'upstream_error' });
  });

  test('whose client leaves ends the provider’s call too', async () => {
    provider.script(bigStream({ bytes: Infinity, chunkBytes: 65_536, contentType: 'audio/mpeg' }));
    const leaving = new AbortController();
    const response = await sdk(cluster).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Without end.' }, { signal: leaving.signal });
    await response.body!.getReader().read();
    leaving.abort();
    await provider.waitFor(({ requests }) => requests[0]?.abortedAtMs != null);
    const row = await rowOf(response.headers.get('x-request-id'));
    // All of the text is billed, however little of it was heard.
    expect(row).toMatchObject({ status: 200, outcome: 'cancelled', cost_nano_usd: String(15_000 * 'Without end.'.length) });
    expect(await attemptRows(cluster, row.id)).toMatchObject([{ outcome: 'cancelled' }]);
  });

  test('of events is a stream of events', async () => {
    const events = [];
    for await (const event of await sdk(cluster).images.generate({ model: 'gpt-image-1', prompt: 'A cat', stream: true, partial_images: 1 })) events.push(event.type);
    expect(events).toEqual(['image_generation.partial_image', 'image_generation.completed']);
    const file = await toFile(randomBytes(100), 'a.wav');
    let text = '';
    for await (const event of await sdk(cluster).audio.transcriptions.create({ model: 'ears', file, stream: true })) if (event.type === 'transcript.text.delta') text += event.delta;
    expect(text).toBe('Heard 100 bytes of a.wav.');
  });
});

describe('what is passed through', () => {
  test('has errors in OpenAI’s shape, and never a credential in them', async () => {
    const draw = (model = 'failing'): Promise<unknown> => sdk(cluster).images.generate({ model, prompt: 'A cat' }).catch((error: unknown) => error);
    provider.script(status(400, {}, { error: { message: 'Invalid size.', type: 'invalid_request_error', param: 'size', code: 'invalid_size' } }));
    expect(await draw('gpt-image-1')).toMatchObject({ status: 400, error: { message: 'Invalid size.', type: 'invalid_request_error', param: 'size' } });
    provider.script(status(500), status(500));
    expect(await draw()).toMatchObject({ status: 502, code: 'upstream_error', type: 'api_error' });
    provider.script(...Array<ReturnType<typeof status>>(2).fill(status(401, {}, { error: { message: 'Incorrect API key provided: sk-upstream-a sk-upstream-b.', code: 'invalid_api_key' } })));
    const unauthorized = await draw();
    expect(unauthorized).toMatchObject({ status: expect.any(Number), code: expect.stringMatching(/upstream_error|no_deployment_available/) });
    expect(JSON.stringify(unauthorized)).not.toContain('sk-upstream');
    expect(await sdk(cluster).images.generate({ model: 'no-such-model', prompt: 'x' }).catch((error: unknown) => error)).toMatchObject({ status: 404 });
    expect((await post(cluster, '{"model":', {}, '/v1/images/generations')).json.error).toMatchObject({ code: 'invalid_json' });
    expect((await post(cluster, { prompt: 'x' }, {}, '/v1/images/generations')).json.error).toMatchObject({ code: 'missing_required_parameter', param: 'model' });
    expect((await post(cluster, {}, {}, '/v1/files')).json.error).toMatchObject({ code: 'invalid_value', param: 'content-type' });
    expect((await post(cluster, {}, {}, '/v1/images/paintings')).status).toBe(404);
  });

  test('is tried with another credential while that can be done, and counts every call', async () => {
    provider.script(status(429, { 'retry-after': '1' }));
    const { response } = await sdk(cluster).images.generate({ model: 'limited', prompt: 'A cat with two hats' }).withResponse();
    expect([response.status, response.headers.get('x-deja-attempts')]).toEqual([200, '2']);
    expect(new Set(provider.requests.map(({ credential }) => credential)).size).toBe(2);
    const row = await rowOf(response.headers.get('x-request-id'));
    expect(await attemptRows(cluster, row.id)).toMatchObject([{ status: 429, outcome: 'error' }, { status: 200, outcome: 'ok' }]);
  });

  test('has its row in the ledger under its own name, with what it costs: nothing for what is stored, pictures by their tokens, sound by its characters', async () => {
    const openai = sdkWith(cluster, await newKey(cluster, 'counted'));
    const upload = await openai.files.create({ file: await toFile(Buffer.from('{}'), 'a.jsonl'), purpose: 'batch' });
    await openai.files.retrieve(upload.id);
    await openai.files.content(upload.id);
    await openai.files.list();
    const batch = await openai.batches.create({ input_file_id: upload.id, endpoint: '/v1/responses', completion_window: '24h' });
    await openai.batches.cancel(batch.id);
    await openai.batches.list();
    await openai.files.delete(upload.id);
    const { id } = await openai.responses.create({ model: 'gpt-4o-mini', input: 'Keep this.' });
    await openai.responses.retrieve(id);
    await openai.responses.inputItems.list(id);
    await openai.responses.delete(id);
    await openai.images.generate({ model: 'gpt-image-1', prompt: 'A cat' });
    await openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello.' });
    const rows = await eventually('all rows', async () => {
      const found = await cluster.sql<Row & { [column: string]: unknown }>("select * from usage.operations where tenant = 'counted' order by received_at", []);
      return found.length === 14 ? found : null;
    });
    const stored = ['files', 'files/{id}', 'files/{id}/content', 'files', 'batches', 'batches/{id}/cancel', 'batches', 'files/{id}'];
    const free = (endpoint: string): unknown[] => [endpoint, 'ok', '0'];
    expect(rows.map(({ endpoint, outcome, cost_nano_usd: cost }) => [endpoint, outcome, cost])).toEqual([
      ...stored.map(free), ['responses', 'ok', expect.stringMatching(/^[1-9]/)], ...['responses/{id}', 'responses/{id}/input_items', 'responses/{id}'].map(free), ['images/generations', 'ok', expect.stringMatching(/^[1-9]/)], ['audio/speech', 'ok', String(15_000 * 'Hello.'.length)],
    ]);
  });

  test('counts against the limits of its key', async () => {
    const openai = sdkWith(cluster, await newKey(cluster, 'limited', { limits: { requests_per_minute: 3 } }));
    await openai.files.list();
    await openai.images.generate({ model: 'gpt-image-1', prompt: 'A cat' });
    await openai.files.create({ file: await toFile(Buffer.from('{}'), 'a.jsonl'), purpose: 'batch' });
    const before = provider.requests.length;
    for (const call of [() => openai.files.list(), () => openai.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'x' }), async () => openai.files.create({ file: await toFile(Buffer.from('{}'), 'b.jsonl'), purpose: 'batch' })]) {
      const refused = await (call as () => Promise<unknown>)().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
      expect(refused).toMatchObject({ code: 'rate_limit_exceeded' });
    }
    expect(provider.requests.length).toBe(before);
  });
});
