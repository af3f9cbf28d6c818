import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, raw, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Redis } from 'ioredis';
import OpenAI, { toFile } from 'openai';
import { eventually, operationRow } from './client.ts';
import { newKey, sdkWith } from './tenant-keys.ts';

let provider: FakeProvider;
let cluster: TestCluster;
let acme: OpenAI;
let rival: OpenAI;

beforeAll(async () => {
  provider = await fakeProvider();
  const credentials = ['a', 'b', 'c', 'd'].map((name) => ({ name, value: `sk-upstream-${name}` }));
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials } },
      models: [{ name: 'mini', deployments: [{ provider: 'fake', model: 'gpt-4o-mini' }] }, { name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
    },
    apps: ['gateway', 'router', 'usage-worker'],
    ownPostgres: true,
  });
  acme = sdkWith(cluster, await newKey(cluster, 'acme'));
  rival = sdkWith(cluster, await newKey(cluster, 'rival'));
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

const model = 'gpt-4o-mini';
const LINE = JSON.stringify({ custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content: 'Hi' }] } });
let made = 0;
const upload = async (openai: OpenAI, headers: Record<string, string> = {}): Promise<OpenAI.FileObject> =>
  openai.files.create({ file: await toFile(Buffer.from(LINE), `lines-${++made}.jsonl`), purpose: 'batch' }, { headers });
const respond = (openai: OpenAI, more: object = {}): Promise<OpenAI.Responses.Response> => openai.responses.create({ model, input: `Remember number ${++made}.`, ...more }) as Promise<OpenAI.Responses.Response>;
const batchOf = (openai: OpenAI, input_file_id: string): Promise<OpenAI.Batch> => openai.batches.create({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' });

async function all<T>(items: AsyncIterable<T> | Promise<AsyncIterable<T>>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of await items) found.push(item);
  return found;
}

/** Which credentials these calls went out with. */
async function credentialsOf(work: () => Promise<unknown>): Promise<(string | null)[]> {
  const from = provider.requests.length;
  await work();
  return [...new Set(provider.requests.slice(from).map(({ credential }) => credential))];
}

describe('what a tenant has stored at a provider', () => {
  test('goes back to the account that has it, however many there are', async () => {
    const used = new Set<string | null>();
    for (let i = 0; i < 8; i++) {
      const credentials = await credentialsOf(async () => {
        const first = await respond(acme);
        expect(await acme.responses.retrieve(first.id)).toMatchObject({ id: first.id, output_text: first.output_text });
        expect((await acme.responses.inputItems.list(first.id)).data).toHaveLength(1);
        const next = await respond(acme, { previous_response_id: first.id });
        expect(next).toMatchObject({ previous_response_id: first.id, status: 'completed' });
        const told = await acme.responses.stream({ model, input: 'And then?', previous_response_id: next.id }).finalResponse();
        expect((await acme.responses.retrieve(told.id)).id).toBe(told.id);
        await acme.responses.delete(first.id);
        const later = await respond(acme, { previous_response_id: next.id, background: true });
        expect(await acme.responses.cancel(later.id)).toMatchObject({ status: 'cancelled' });
      });
      expect(credentials).toHaveLength(1);
      used.add(credentials[0] ?? null);
    }
    expect(used.size).toBeGreaterThan(1);
  });

  test('is files that come back byte for byte, batches, and the files that batches make', async () => {
    const credentials = await credentialsOf(async () => {
      const file = await upload(acme);
      expect(await acme.files.retrieve(file.id)).toEqual(file);
      expect(await (await acme.files.content(file.id)).text()).toBe(LINE);
      const batch = await batchOf(acme, file.id);
      const done = await acme.batches.retrieve(batch.id);
      expect(done).toMatchObject({ id: batch.id, status: 'completed', input_file_id: file.id });
      expect(await (await acme.files.content(done.output_file_id!)).text()).toContain('You said: Hi');
      expect(await acme.files.retrieve(done.output_file_id!)).toMatchObject({ purpose: 'batch_output' });
      await expect(rival.files.content(done.output_file_id!)).rejects.toMatchObject({ status: 404 });
      const other = await batchOf(acme, file.id);
      expect(await acme.batches.cancel(other.id)).toMatchObject({ status: 'cancelling' });
      // A file in a question takes the question to where the file is.
      await acme.responses.create({ model, input: [{ role: 'user', content: [{ type: 'input_file', file_id: file.id }, { type: 'input_text', text: 'What is in it?' }] }] });
      await acme.chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: file.id } }, { type: 'text', text: 'What is in it?' }] }] });
    });
    expect(credentials).toHaveLength(1);
  });

  test('does not exist for anybody else: 404 in every path, 400 in every body, nothing in lists, and no call of a provider', async () => {
    const file = await upload(acme);
    const batch = await batchOf(acme, file.id);
    const response = await respond(acme);
    const before = provider.requests.length;
    const paths: (() => Promise<unknown>)[] = [
      () => rival.files.retrieve(file.id),
      () => rival.files.content(file.id),
      () => rival.files.delete(file.id),
      () => rival.batches.retrieve(batch.id),
      () => rival.batches.cancel(batch.id),
      () => rival.responses.retrieve(response.id),
      () => rival.responses.retrieve(response.id, { stream: true }),
      () => rival.responses.inputItems.list(response.id),
      () => rival.responses.cancel(response.id),
      () => rival.responses.delete(response.id),
      () => rival.files.list({ after: file.id }),
      // Of another kind: nothing is found under the wrong roof either.
      () => acme.files.retrieve(response.id),
      () => acme.responses.retrieve(file.id),
    ];
    for (const call of paths) await expect(call()).rejects.toMatchObject({ status: 404, code: 'not_found' });
    const bodies: [param: string, call: () => Promise<unknown>][] = [
      ['previous_response_id', () => respond(rival, { previous_response_id: response.id })],
      ['input_file_id', () => batchOf(rival, file.id)],
      ['input[0].content[0].file_id', () => respond(rival, { input: [{ role: 'user', content: [{ type: 'input_file', file_id: file.id }] }] })],
      ['messages[0].content[0].file.file_id', () => rival.chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: file.id } }] }] })],
    ];
    for (const [param, call] of bodies) await expect(call()).rejects.toMatchObject({ status: 400, code: 'invalid_value', param });
    expect([(await rival.files.list()).data, (await rival.batches.list()).data]).toEqual([[], []]);
    expect(provider.requests.slice(before)).toEqual([]);
    // And nothing of it did any harm.
    expect((await acme.files.retrieve(file.id)).id).toBe(file.id);
    expect((await acme.responses.retrieve(response.id)).id).toBe(response.id);
  });

  test('includes the items of its responses, whole, streamed or made in the background: they can be named by their ids, there and by nobody else', async () => {
    const told = async (): Promise<OpenAI.Responses.Response> => acme.responses.stream({ model, input: `Stream number ${++made}.` }).finalResponse();
    const later = async (): Promise<OpenAI.Responses.Response> => acme.responses.retrieve((await respond(acme, { background: true })).id);
    for (const make of [() => respond(acme), told, later]) {
      for (let i = 0; i < 3; i++) {
        let id = '';
        const credentials = await credentialsOf(async () => {
          id = (await make()).output[0]!.id!;
          for (const item of [{ type: 'item_reference', id }, { id }]) {
            expect(await respond(acme, { input: [item, { role: 'user', content: `Go on with ${++made}.` }] })).toMatchObject({ status: 'completed' });
          }
        });
        expect([id, credentials]).toMatchObject([expect.stringMatching(/^msg_/), { length: 1 }]);
        const before = provider.requests.length;
        for (const item of [{ type: 'item_reference', id }, { id }]) {
          await expect(respond(rival, { input: [{ role: 'user', content: 'What was said?' }, item] })).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'input[1].id' });
        }
        expect(provider.requests.length).toBe(before);
      }
    }
    const unstored = await respond(acme, { store: false });
    await expect(respond(acme, { input: [{ type: 'item_reference', id: unstored.output[0]!.id }] })).rejects.toMatchObject({ status: 400, param: 'input[0].id' });
    // A client's own words name nothing, whatever id they claim to have.
    const claimed = await respond(rival, { input: [{ type: 'message', role: 'assistant', id: 'msg_somebodys', content: [{ type: 'output_text', text: 'Hi', annotations: [] }] }] });
    expect((await rival.responses.inputItems.list(claimed.id)).data[0]).toMatchObject({ id: 'msg_somebodys' });
    await expect(respond(rival, { input: [{ type: 'item_reference', id: 'msg_somebodys' }] })).rejects.toMatchObject({ status: 400 });
  });

  test('includes what a chat answer said aloud', async () => {
    const completion = { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model, choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: null, audio: { id: 'audio_whole', data: 'aGk=', transcript: 'Hi', expires_at: 2 } } }] };
    const chunk = (delta: object, finish_reason: string | null): string => `data: ${JSON.stringify({ id: 'chatcmpl-2', object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
    const spoken = chunk({ role: 'assistant', audio: { id: 'audio_told', transcript: 'Hi' } }, null) + chunk({ audio: { data: 'aGk=' } }, null) + chunk({ audio: { expires_at: 2 } }, 'stop');
    const speaking = { model, modalities: ['text', 'audio'] as ('text' | 'audio')[], audio: { voice: 'alloy', format: 'pcm16' as const } };
    const repeated = (openai: OpenAI, id: string): Promise<unknown> => openai.chat.completions.create({ ...speaking, messages: [{ role: 'user', content: `Hi ${++made}` }, { role: 'assistant', audio: { id } }, { role: 'user', content: 'Again.' }] });
    for (const [id, make] of [
      ['audio_whole', async () => {
        provider.script(raw({ contentType: 'application/json', body: JSON.stringify(completion) }));
        await acme.chat.completions.create({ ...speaking, messages: [{ role: 'user', content: 'Say hi.' }] });
      }],
      ['audio_told', async () => {
        provider.script(raw({ contentType: 'text/event-stream', body: `${spoken}data: [DONE]\n\n` }));
        await all(acme.chat.completions.create({ ...speaking, stream: true, messages: [{ role: 'user', content: 'Say hi aloud.' }] }));
      }],
    ] as [string, () => Promise<void>][]) {
      expect(await credentialsOf(async () => {
        await make();
        for (let i = 0; i < 4; i++) await repeated(acme, id);
      })).toHaveLength(1);
      await expect(repeated(rival, id)).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'messages[1].audio.id' });
    }
  });

  test('is in no state for a call: the provider says so once, and the client hears it', async () => {
    const file = await upload(acme);
    provider.script(status(409, {}, { error: { message: 'This batch has ended.', type: 'invalid_request_error', param: null, code: null } }));
    const before = provider.requests.length;
    await expect(batchOf(acme, file.id)).rejects.toMatchObject({ status: 400, code: 'invalid_value', error: { message: 'This batch has ended.' } });
    expect(provider.requests.length).toBe(before + 1);
  });

  test('says the same of what is another’s as of what nobody has', async () => {
    const file = await upload(acme);
    const told = async (id: string): Promise<string> => JSON.stringify(((await rival.files.retrieve(id).catch((error: unknown) => error)) as { error: unknown }).error).replaceAll(id, 'ID');
    expect(await told(file.id)).toBe(await told('file-nobodyhasthis'));
  });

  test('is listed in pages, each object once, also where other tenants have theirs in the same accounts', async () => {
    const lister = sdkWith(cluster, await newKey(cluster, 'lister'));
    const mine: string[] = [];
    for (let i = 0; i < 9; i++) {
      mine.push((await upload(lister, i % 2 === 0 ? {} : { 'x-deja-model': 'mini' })).id);
      await upload(rival);
    }
    for (const limit of [1, 2, 5, 100]) {
      const listed = (await all(lister.files.list({ limit }))).map(({ id }) => id);
      expect([limit, listed.toSorted()]).toEqual([limit, mine.toSorted()]);
    }
    const first = await lister.files.list({ limit: 4, order: 'asc', purpose: 'batch' });
    expect([first.has_more, first.data.length]).toEqual([true, 4]);
    expect((await all(lister.files.list({ limit: 4, order: 'asc' }))).map(({ id }) => id).toSorted()).toEqual(mine.toSorted());
    expect((await lister.files.list({ purpose: 'vision' })).data).toEqual([]);
    const batches = [];
    for (const id of mine.slice(0, 3)) batches.push((await batchOf(lister, id)).id);
    expect((await all(lister.batches.list({ limit: 1 }))).map(({ id }) => id).toSorted()).toEqual(batches.toSorted());
    await expect(lister.files.list({ limit: 0 })).rejects.toMatchObject({ status: 400, param: 'limit' });
  });

  test('is gone once it is deleted', async () => {
    const [file, response] = [await upload(acme), await respond(acme)];
    expect(await acme.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    await acme.responses.delete(response.id);
    const before = provider.requests.length;
    await expect(acme.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(acme.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
    await eventually('the router to forget it', async () => (await cluster.sql('select 1 from router.stored_objects where id = any($1)', [[file.id, response.id]])).length === 0);
    await expect(acme.files.content(file.id)).rejects.toMatchObject({ status: 404 });
    expect(provider.requests.slice(before).filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});

describe('ownership', () => {
  test('outlives Redis and the router: Postgres has it', async () => {
    const [file, response] = [await upload(acme), await respond(acme)];
    await eventually('both to be noted', async () => (await cluster.sql('select 1 from router.stored_objects where id = any($1)', [[file.id, response.id]])).length === 2);
    const redis = new Redis(cluster.redisUrl);
    const objects = await redis.keys('*object*');
    expect(objects.length).toBeGreaterThan(0);
    await redis.del(objects);
    redis.disconnect();
    await cluster.restart('router');
    expect((await acme.files.retrieve(file.id)).id).toBe(file.id);
    expect((await acme.responses.retrieve(response.id)).id).toBe(response.id);
    expect((await all(acme.files.list())).map(({ id }) => id)).toContain(file.id);
    await expect(rival.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
  });

  test('of what is made while Postgres is away is known at once, and to Postgres afterwards', async () => {
    await cluster.suspend('postgres');
    const { data: response, response: reply } = await acme.responses.create({ model, input: 'Made without a database.' }).withResponse();
    expect(await acme.responses.retrieve(response.id)).toMatchObject({ id: response.id });
    expect(await respond(acme, { previous_response_id: response.id })).toMatchObject({ status: 'completed' });
    await expect(rival.responses.retrieve(response.id)).rejects.toMatchObject({ status: 503 });
    await cluster.resume('postgres');
    await cluster.waitReady();
    await eventually('the response to be noted', async () => (await cluster.sql('select 1 from router.stored_objects where id = $1', [response.id])).length === 1, 20_000);
    expect(await operationRow(cluster, reply.headers.get('x-request-id'), 20_000)).toMatchObject({ tenant: 'acme', outcome: 'ok' });
    await expect(rival.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
  });
});
