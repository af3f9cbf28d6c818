import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chunks, fakeProvider, status, testCluster, type FakeProvider, type ScriptStep, type TestCluster } from '@deja/testing';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { AdminClient, Answers } from './admin-client.ts';
import { ask, eventually, operationRow } from './client.ts';
import { filesDump, placesOf, RedisTraffic, secretsIn, type Planted } from './secret-search.ts';
import { TraceCollector } from './trace-collector.ts';

const masterKey = (): string => randomBytes(32).toString('base64');
const random = (): string => randomBytes(18).toString('hex');

/** Every secret there is, by where it comes from. */
const planted: Planted = {
  'written in the file': `sk-upstream-written-${random()}`,
  'from a variable': `no-prefix-at-all-${random()}`,
  'from a file': `sk-ant-from-a-file-${random()}`,
  'of the admin API': `sk-proj-api-${random()}`,
  'before the rotation': `sk-proj-old-${random()}`,
  'after the rotation': `sk-proj-new-${random()}`,
  'client key': `sk-deja-${randomBytes(6).toString('hex')}-${randomBytes(32).toString('hex')}`,
  'admin key': `deja-admin-${random()}`,
  'former master key': masterKey(),
  'master key': masterKey(),
};
/** A provider of this name stands everywhere where a secret might: what does not hold it was not searched. */
const MARKER = `marked${randomBytes(12).toString('hex')}`;

let provider: FakeProvider;
let collector: TraceCollector;
let cluster: TestCluster;
let admin: AdminClient;
let traffic: RedisTraffic;
let directory: string;
const answers = new Answers();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deja-secrets-'));
  await writeFile(join(directory, 'credential'), `${planted['from a file']}\n`);
  await writeFile(join(directory, 'master-key'), `former:${planted['former master key']}`);
  [provider, collector] = await Promise.all([fakeProvider(), TraceCollector.start()]);
  const credentials = [
    { name: 'written', value: planted['written in the file'] }, { name: 'variable', value: '${env:PLANTED_API_KEY}' }, { name: 'file', value: `\${file:${join(directory, 'credential')}}` },
  ];
  const none = { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [] };
  cluster = await testCluster({
    config: {
      providers: { [MARKER]: { ...none, credentials }, api: none, rotated: none },
      models: [{ name: 'api', deployments: [{ provider: 'api', model: 'api' }] }, { name: 'rotated', deployments: [{ provider: 'rotated', model: 'rotated' }] }, { name: '*', deployments: [{ provider: MARKER, model: '*' }] }],
      retries: { max_attempts: 4, backoff_ms: [10, 50] },
    },
    env: {
      DEJA_BOOTSTRAP_KEY: planted['client key']!, DEJA_ADMIN_KEY: planted['admin key']!, DEJA_MASTER_KEY_FILE: join(directory, 'master-key'), PLANTED_API_KEY: planted['from a variable']!,
      LOG_LEVEL: 'trace', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_TRACES_SAMPLER: 'always_on',
    },
    ownPostgres: true,
  });
  traffic = await RedisTraffic.of(cluster);
  admin = new AdminClient(cluster, answers);
}, 90_000);
afterAll(async () => {
  traffic?.stop();
  await cluster?.stop();
  await Promise.all([provider?.close(), collector?.close()]);
  await rm(directory, { recursive: true, force: true });
});

const sdk = (key = cluster.key): OpenAI => new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000, fetch: answers.fetch });
const failing = (call: Promise<unknown>): Promise<string> => call.then(() => 'answered', (error: unknown) => `${String(error)} ${JSON.stringify(error)}`);

let questions = 0;
const question = (model: string): OpenAI.Chat.ChatCompletionCreateParamsNonStreaming => ({ model, messages: ask(`Question ${questions++} with all the secrets in place.`) });

/** A provider that repeats what it was sent, in every way that comes to mind. */
const echoing = (code: number, shape: 'json' | 'html' | 'nested' = 'json'): ScriptStep => ({ credential, headers }) => {
  const said = `Incorrect API key provided: ${credential}. You sent ${JSON.stringify(headers)}.`;
  if (shape === 'html') return status(code, { 'x-your-key': String(credential) }, `<html><body>${said}</body></html>`);
  const error = { message: said, type: `type ${credential}`, param: `param ${credential}`, code: `code ${credential}` };
  return status(code, { 'x-your-key': String(credential) }, shape === 'nested' ? { error: { ...error, inner: { error }, details: [said] } } : { error });
};

/** Every credential is used, refused, repeated in errors, rotated, listed and deleted; every app has something to say. */
async function eventfulDay(): Promise<void> {
  await admin.create({ provider: 'api', name: 'main', value: planted['of the admin API']! });
  const { id } = await admin.create({ provider: 'rotated', name: 'main', value: planted['before the rotation']! });
  for (const [model, name] of [['api', 'of the admin API'], ['rotated', 'before the rotation']] as const) await used(model, name);
  await admin.done('POST', `credentials/${id}/rotate`, { value: planted['after the rotation'], grace_s: 3600 });
  await used('rotated', 'after the rotation');
  for (const name of ['written in the file', 'from a variable', 'from a file']) await used('gpt-4o', name);
  await mistakes();
  await refusals();
  await writeFile(join(directory, 'master-key'), `current:${planted['master key']}\nformer:${planted['former master key']}`);
  await cluster.restart('router');
  expect(await admin.done('POST', 'vault/rewrap')).toMatchObject({ current_key: 'current', remaining: 0, failed: [] });
  await admin.list();
  await admin.done('POST', 'plan/explain', { model: 'rotated' });
  await admin.done('DELETE', `credentials/${id}`);
}

/** Asks until this credential was used. */
const used = (model: string, name: string): Promise<unknown> =>
  eventually(`${name} used`, async () => {
    await failing(sdk().chat.completions.create(question(model)));
    return provider.requests.at(-1)?.credential === planted[name];
  });

async function mistakes(): Promise<void> {
  const credential = { provider: 'api', name: 'wrong', value: planted['of the admin API'] };
  for (const body of [{ ...credential, value: `${credential.value} ` }, { ...credential, [credential.value!]: 1 }, { ...credential, base_url: `https://${credential.value}@example.com/` }, { ...credential, name: 'main' }, `{"value":"${credential.value}"`]) {
    expect([400, 409]).toContain((await admin.call('POST', 'credentials', body)).status);
  }
  for (const [wrong, path] of [[`${cluster.adminKey}x`, 'credentials'], [cluster.key, 'credentials']] as const) expect((await admin.call('GET', path, undefined, { authorization: `Bearer ${wrong}` })).status).toBe(401);
  expect(await failing(sdk(`${cluster.key}x`).chat.completions.create(question('gpt-4o')))).toContain('401');
}

/** What a provider says in anger, at every endpoint and in every position. */
async function refusals(): Promise<void> {
  const client = sdk();
  const calls: [string, () => Promise<unknown>][] = [
    ['chat', () => client.chat.completions.create(question('gpt-4o'))], ['stream', async () => (await client.chat.completions.create({ ...question('gpt-4o'), stream: true })).toReadableStream()],
    ['responses', () => client.responses.create({ model: 'gpt-4o', input: `Question ${questions++} of the other kind.` })], ['embeddings', () => client.embeddings.create({ model: 'text-embedding-3-small', input: `text ${questions++}` })],
    ['completions', () => client.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: `prompt ${questions++}` })], ['moderations', () => client.moderations.create({ input: `text ${questions++}` })], ['images', () => client.images.generate({ prompt: `picture ${questions++}`, model: 'gpt-image-1' })],
    ['files', () => client.files.create({ file: new File(['{}'], 'batch.jsonl'), purpose: 'batch' })], ['speech', () => client.audio.speech.create({ input: `speech ${questions++}`, model: 'tts-1', voice: 'alloy' })],
  ];
  for (const [, call] of calls) {
    for (const [code, shape] of [[400, 'json'], [400, 'nested'], [422, 'html'], [500, 'json']] as const) {
      provider.reset();
      provider.script(...Array.from({ length: 5 }, () => echoing(code, shape)));
      expect(await failing(call())).not.toBe('answered');
    }
  }
  provider.reset();
  // In the middle of a stream, where a provider may say anything.
  provider.script(({ credential }) => ({ raw: { contentType: 'text/event-stream', body: ['data: {"choices":[{"index":0,"delta":{"content":"Well, "}}]}\n\n', `data: {"error":{"message":"key ${credential} is out of money","type":"x","param":null,"code":"insufficient_quota"}}\n\n`] } }));
  await failing((async () => {
    for await (const _ of await client.chat.completions.create({ ...question('gpt-4o'), stream: true })) continue;
  })());
  provider.script(chunks(['a', 'b', 'c'], { cutAfter: 2 }));
  await failing((async () => {
    for await (const _ of await client.chat.completions.create({ ...question('gpt-4o'), stream: true })) continue;
  })());
  // Last, because a refused credential is set aside.
  provider.script(...Array.from({ length: 4 }, () => echoing(401)));
  await failing(client.chat.completions.create(question('gpt-4o')));
  provider.reset();
}

describe('secrets', () => {
  test('none of them is in clear in Postgres, Redis, its traffic, a file, a log line, a span, a metric or an answer, as text, base64 or hex, after all that can happen', async () => {
    await eventfulDay();
    const marked = await sdk().chat.completions.create(question('marked')).withResponse().catch(() => null);
    await operationRow(cluster, marked?.response.headers.get('x-request-id') ?? (await lastOperation()));
    await eventually('spans of every app', () => new Set(collector.spans.map(({ service }) => service)).size >= 4);
    const places = { ...(await placesOf(cluster, { traffic, collector, answers })), files: await filesDump(cluster) };
    expect(secretsIn(places, { marker: MARKER })).toEqual(Object.keys(places).map((place) => `${place}: marker`));
    expect(secretsIn(places, planted)).toEqual([]);
  }, 90_000);

  test('a search finds what is there, wherever and however it is kept', async () => {
    const there = `sk-really-there-${random()}`;
    const redis = new Redis(cluster.redisUrl);
    await cluster.sql('create schema planted');
    for (const [type, kept] of [['text', there], ['bytea', Buffer.from(`x${there}`)], ['jsonb', JSON.stringify({ deep: [Buffer.from(`xy${there}`).toString('base64url')] })]] as const) {
      await cluster.sql(`create table planted.it (id int, it ${type})`);
      await cluster.sql('insert into planted.it values (1, $1)', [kept]);
      expect([type, secretsIn(await placesOf(cluster, {}), { there })]).toEqual([type, ['postgres: there']]);
      await cluster.sql('drop table planted.it');
    }
    await cluster.sql('drop schema planted');
    for (const keep of [
      () => redis.set('planted', there), () => redis.hset('planted', 'field', there), () => redis.rpush('planted', `x${there}x`), () => redis.sadd('planted', Buffer.from(there).toString('hex')), () => redis.zadd('planted', 1, there),
      () => redis.xadd('planted', '*', 'field', Buffer.from(`ab${there}`).toString('base64')), () => redis.set(`planted:${there}`, 1),
    ]) {
      await keep();
      expect(secretsIn(await placesOf(cluster, {}), { there })).toEqual(['redis: there']);
      await redis.del('planted', `planted:${there}`);
    }
    redis.disconnect();
    expect(secretsIn(await placesOf(cluster, {}), { there })).toEqual([]);
    expect(secretsIn(await placesOf(cluster, { traffic }), { there })).toEqual(['redis traffic: there']);
    expect(secretsIn({ files: await filesDump(cluster) }, { there })).toEqual(['files: there']);
  }, 60_000);

  test('a search finds a secret in base64 and hex at any place in other bytes, and whoever shows half of it', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ minLength: 24, maxLength: 60, unit: fc.constantFrom('a', 'k', 'Z', '0', '9', '-', '_', '+', '/', '~') }), fc.uint8Array({ maxLength: 40 }), (before, secret, after) => {
      const bytes = Buffer.concat([before, Buffer.from(secret), after]);
      for (const text of [bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex'), bytes.toString('latin1'), `${secret.slice(0, -4)}…`, `…${secret.slice(12)}`]) {
        expect(secretsIn({ place: text }, { secret })).toEqual(['place: secret']);
      }
    }));
  });

  test('a value that got into the wrong field is in no answer and no log line', async () => {
    const value = `sk-misplaced-${random()}`;
    const good = { provider: 'api', name: 'misplaced', value };
    for (const body of [{ ...good, provider: value }, { ...good, tenant: value }, { ...good, base_url: value }, { ...good, base_url: `https://${value}@example.com/` }, { ...good, weight: value }, { ...good, limits: { [value]: 1 } }, { ...good, limits: { concurrency: value } }, { ...good, [value]: value }]) {
      expect((await admin.call('POST', 'credentials', body)).status).toBe(400);
    }
    const { log } = await placesOf(cluster, {});
    expect(secretsIn({ answers: answers.texts.join('\n'), log: log! }, { misplaced: value })).toEqual([]);
  });

  test('the processes that do not need a secret were never given it', async () => {
    if (process.platform !== 'linux') return;
    const routers = ['written in the file', 'from a variable', 'from a file', 'former master key', 'master key', 'client key'];
    const needless: Record<string, string[]> = { gateway: routers, 'semantic-cache': [...routers, 'admin key'], 'usage-worker': [...routers, 'admin key'] };
    for (const { app, pid } of cluster.apps) {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1');
      expect(environment).toContain('REDIS_URL');
      expect(secretsIn({ [app]: environment }, Object.fromEntries((needless[app] ?? []).map((name) => [name, planted[name]!])))).toEqual([]);
    }
  });
});

const lastOperation = async (): Promise<string> => (await cluster.sql<{ id: string }>('select id from usage.operations order by id desc limit 1'))[0]!.id;
