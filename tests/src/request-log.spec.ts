import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RequestObject } from '@deja/admin-api';
import { chunks, fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { AdminClient, Answers } from './admin-client.ts';
import { ask, chat, eventually, operationRow, post } from './client.ts';
import { githubToken } from './content-rules.ts';
import { everyView } from './ledger-views.ts';
import { filesDump, placesOf, postgresDump, RedisTraffic, secretsIn, type Planted } from './secret-search.ts';
import { newKeyWithId, type KeyOptions } from './tenant-keys.ts';
import { TraceCollector } from './trace-collector.ts';

type Captured = NonNullable<RequestObject['captured']>;

const UPSTREAM = 'sk-upstream-of-the-request-log-0123456789abcdef';

let provider: FakeProvider;
let collector: TraceCollector;
let cluster: TestCluster;
let traffic: RedisTraffic;
let admin: AdminClient;
const answers = new Answers();

const configWith = (requestLog: object): object => ({
  providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: UPSTREAM }] } },
  models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
  retries: { max_attempts: 1 },
  content_safety: { secrets: 'redact' },
  request_log: requestLog,
});

beforeAll(async () => {
  [provider, collector] = await Promise.all([fakeProvider(), TraceCollector.start()]);
  cluster = await testCluster({
    config: configWith({ search: false }), apps: ['gateway', 'router', 'usage-worker'],
    env: { LOG_LEVEL: 'trace', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_TRACES_SAMPLER: 'always_on' },
  });
  traffic = await RedisTraffic.of(cluster);
  admin = new AdminClient(cluster, answers);
}, 60_000);
afterAll(async () => {
  traffic?.stop();
  await cluster?.stop();
  await Promise.all([provider?.close(), collector?.close()]);
});

/** A client with a key of its own. */
interface Client {
  url: string;
  key: string;
  keyId: string;
  tenant: string;
}
async function client(tenant: string, key: KeyOptions = {}): Promise<Client> {
  const made = await newKeyWithId(cluster, tenant, key);
  return { url: cluster.url, key: made.key, keyId: made.id, tenant };
}
async function adminOf(role: 'viewer' | 'operator', tenant: string | null = null): Promise<AdminClient> {
  const { token } = await admin.done('POST', 'admin-tokens', { name: `${role} of ${tenant ?? 'all'}`, role, tenant });
  return new AdminClient(cluster, answers, String(token));
}

const idIn = (headers: Headers): string => headers.get('x-request-id') ?? '';
/** What the request log has of a request, as soon as it is there. */
const captured = (id: string, by = admin): Promise<Captured> =>
  eventually(`what was captured of ${id}`, async () => {
    const reply = await by.call('GET', `requests/${id}`); // its row comes by a queue of its own
    return reply.status === 200 ? ((reply.json['captured'] as Captured | null) ?? null) : null;
  });

let asked = 0;
/** Asks something new, and returns the id of it. */
async function askedBy(from: Client, content = `Question ${asked++} for the request log.`, more: object = {}): Promise<string> {
  const reply = await post(from, chat(content, more), { 'cache-control': 'no-store' });
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
  return idIn(reply.headers);
}
const contents = ({ request, response }: Captured): unknown[] => {
  const { messages } = request as { messages: { content: unknown }[] };
  const { choices } = response as { choices: { message: { content: unknown } }[] };
  return [messages[0]?.content, choices[0]?.message.content];
};

describe('what is captured', () => {
  test('is the whole request and the whole reply, also of a stream, a stream that broke off, an answer of the cache, and an error', async () => {
    const from = await client('whole');
    const question = chat('What is the whole answer?');
    const whole = await post(from, question);
    const again = await eventually('an answer of the cache', async () => {
      const reply = await post(from, question);
      return reply.headers.get('x-cache') === 'HIT-EXACT' ? reply : null;
    });
    for (const reply of [whole, again]) expect(await captured(idIn(reply.headers))).toEqual({ mode: 'full', request: question, response: reply.json, truncated: false, shredded: false });

    const streamed = await post(from, chat('What is the streamed answer?', { stream: true }));
    expect(await captured(idIn(streamed.headers))).toMatchObject({
      request: { stream: true, messages: ask('What is the streamed answer?') }, response: { object: 'chat.completion', choices: [{ message: { content: 'You said: What is the streamed answer?' }, finish_reason: 'stop' }] },
    });

    provider.script(chunks(['Half ', 'an ', 'answer'], { cutAfter: 2 }));
    const broken = await post(from, chat('What breaks off?', { stream: true }));
    expect(await captured(idIn(broken.headers))).toMatchObject({ response: { choices: [{ message: { content: 'Half an ' } }], error: { code: expect.any(String) } } });

    provider.script(status(400));
    const refused = await post(from, chat('What is refused?'));
    expect(await captured(idIn(refused.headers))).toMatchObject({ request: { messages: ask('What is refused?') }, response: refused.json });
  });

  test('lacks what content rules took out of the prompt', async () => {
    const token = githubToken(1);
    const id = await askedBy(await client('redacted'), `Is ${token} still good?`);
    const log = await captured(id);
    expect(contents(log)).toEqual(['Is [redacted:github_token] still good?', 'You said: Is [redacted:github_token] still good?']);
    expect(JSON.stringify(log)).not.toContain(token);
  });

  test('is everything, its shape or nothing by what is said of the key, else of its tenant; a change is in force soon', async () => {
    const [one, other] = [await client('modes'), await client('modes', { capture: 'full' })];
    const set = (path: string, capture: string | null): Promise<unknown> => admin.done('PATCH', path, { capture });
    /** How a request of this client is captured; `none` where it has nothing, and one that came behind it has. */
    const modeOf = async (from: Client): Promise<string> => {
      const id = await askedBy(from, 'What is the mode?');
      await operationRow(cluster, id);
      await captured(await askedBy(canary));
      const { captured: log } = (await admin.done('GET', `requests/${id}`)) as { captured: Captured | null };
      return log === null ? 'none' : JSON.stringify([log.mode, ...contents(log)]);
    };
    const [full, metadata] = [['full', 'What is the mode?', 'You said: What is the mode?'], ['metadata', { chars: 17 }, { chars: 27 }]].map((seen) => JSON.stringify(seen)) as [string, string];
    const canary = await client('canary');
    const modes = (): Promise<string[]> => Promise.all([modeOf(one), modeOf(other)]);
    const holds = (wanted: string[]): Promise<unknown> => eventually(`modes ${wanted.join()}`, async () => String(await modes()) === String(wanted));
    expect(await modes()).toEqual([full, full]);
    await set('tenants/modes', 'metadata');
    await holds([metadata, full]);
    await set('tenants/modes', 'none');
    await set(`keys/${other.keyId}`, 'metadata');
    await holds(['none', metadata]);
    await set(`keys/${other.keyId}`, 'none');
    await set(`keys/${one.keyId}`, 'full');
    await holds([full, 'none']);
    await set(`keys/${one.keyId}`, null);
    await set('tenants/modes', null);
    await holds([full, 'none']);
  });
});

describe('captured bodies', () => {
  test('are for operators, and for nobody of another tenant', async () => {
    const id = await askedBy(await client('owned'));
    const [viewer, operator, own, ownViewer, foreign] = await Promise.all([adminOf('viewer'), adminOf('operator'), adminOf('operator', 'owned'), adminOf('viewer', 'owned'), client('foreign').then(() => adminOf('operator', 'foreign'))]);
    for (const by of [admin, operator, own]) expect(await captured(id, by)).toMatchObject({ mode: 'full', shredded: false });
    for (const by of [viewer, ownViewer]) expect(await by.done('GET', `requests/${id}`)).toMatchObject({ id, captured: null });
    expect((await foreign.call('GET', `requests/${id}`)).status).toBe(404);
  });

  test('and keys are in clear neither in Postgres, Redis and what goes through it, nor in files, logs, metrics and spans', async () => {
    const from = await client('private');
    const planted: Planted = { question: 'Zephyrine quartz lanterns hum beneath the marble aqueduct', answer: 'Because vermilion otters never calibrate their sextants', 'client key': from.key, credential: UPSTREAM };
    const marker = 'request-log-marker';
    const ids: string[] = [];
    for (const stream of [false, true]) {
      provider.script(chunks([planted['answer']!, '.']));
      ids.push(await askedBy(from, `${planted['question']}?`, { model: marker, stream }));
    }
    for (const id of ids) expect(contents(await captured(id))).toEqual([`${planted['question']}?`, `${planted['answer']}.`]);
    const places: Record<string, string> = { ...(await placesOf(cluster, { traffic, collector })), files: await filesDump(cluster) };
    expect(secretsIn(places, planted)).toEqual([]);
    // What is not searched has no marker either.
    const searched = secretsIn(places, { marker });
    expect(['postgres', 'redis traffic', 'spans'].filter((place) => !searched.includes(`${place}: marker`))).toEqual([]);
    expect(places['log']).not.toBe('');
  });

  test('are unreadable once their tenant’s keys are destroyed, and what comes then is readable', async () => {
    const [from, other] = [await client('shredded'), await client('unshredded')];
    const [before, kept] = [await askedBy(from), await askedBy(other)];
    await Promise.all([captured(before), captured(kept)]);
    expect(await admin.done('POST', 'tenants/shredded/shred')).toEqual({ object: 'shredded', id: 'shredded', keys: 1 });
    expect(await captured(before)).toEqual({ mode: 'full', request: null, response: null, truncated: false, shredded: true });
    expect(await captured(kept)).toMatchObject({ shredded: false });
    await eventually('a body under the new key', async () => !(await captured(await askedBy(from))).shredded);
    expect(await captured(before)).toMatchObject({ shredded: true });
    expect(await admin.done('GET', `requests/${before}`)).toMatchObject({ outcome: 'ok', tenant: 'shredded' });
  });
});

describe('an end user', () => {
  test('is taken off the ledger with what was captured, and every figure is as before', async () => {
    const from = await client('forgetful');
    const user = 'Zacharias Unforgettable';
    const ids = [await askedBy(from, 'Who am I?', { user }), await askedBy(from, 'And now?', { user })];
    const others = await askedBy(from, 'And I?', { user: 'somebody else' });
    await Promise.all([...ids, others].map((id) => captured(id)));
    expect(await admin.done('GET', `users/data?tenant=forgetful&user=${encodeURIComponent(user)}`)).toMatchObject({ requests: 2, captured: 2 });
    const before = await everyView(cluster, admin, 'forgetful');
    const { id: job } = await admin.done('POST', 'users/erase', { tenant: 'forgetful', user });
    await eventually('nothing left of it', async () => (await admin.done('GET', `users/data?tenant=forgetful&user=${encodeURIComponent(user)}`))['requests'] === 0);
    expect(await admin.done('GET', `jobs/${String(job)}`)).toMatchObject({ kind: 'erase_user', result: { requests: 2, bodies: 2, pseudonym: expect.stringMatching(/^erased:/) } });
    for (const id of ids) expect(await admin.done('GET', `requests/${id}`)).toMatchObject({ user: expect.stringMatching(/^erased:/), captured: null });
    expect(await captured(others)).toMatchObject({ request: { user: 'somebody else' } });
    expect(await everyView(cluster, admin, 'forgetful')).toEqual(before);
    // The job alone knows the name, until it has waited for what may be on its way.
    const jobs = await cluster.sql<{ row: string }>('select t::text as row from usage.jobs t');
    const rest = jobs.reduce((text, { row }) => text.replaceAll(row, ''), await postgresDump(cluster));
    expect(secretsIn({ 'all but jobs': rest, log: cluster.lines.map((line) => line.text).join('\n') }, { user })).toEqual([]);
  });
});

describe('the words of prompts', () => {
  const found = async (query: string, by = admin): Promise<unknown[]> => (await by.done('GET', `requests?${new URLSearchParams({ tenant: 'searched', q: query }).toString()}`)).data?.map(({ id }) => id) ?? [];

  test('find requests once deja.yaml says so, for operators alone', async () => {
    const from = await client('searched');
    const unseen = await askedBy(from, 'Where do unsearchable walruses sleep?');
    await captured(unseen);
    expect(await admin.call('GET', 'requests?q=walruses')).toMatchObject({ status: 400, json: { error: { param: 'q' } } });
    await cluster.configure(configWith({ search: true }));
    await admin.done('POST', 'config/reload');
    await eventually('a question found by its words', async () => {
      await captured(await askedBy(from, 'Where do searchable pelicans sleep?'));
      return (await admin.call('GET', 'requests?tenant=searched&q=pelicans')).json.data?.length;
    });
    const [whale, stream] = [await askedBy(from, 'How deep does a blue whale dive?'), await askedBy(from, 'How deep does a grey seal dive?', { stream: true })];
    await Promise.all([captured(whale), captured(stream)]);
    expect(await found('"blue whale"')).toEqual([whale]);
    expect(new Set(await found('deep dive'))).toEqual(new Set([whale, stream]));
    expect(await found('dive -seal')).toEqual([whale]);
    expect(await found('walruses')).toEqual([]);
    expect(await found('said')).toEqual([]); // answers are not searched
    const [own, foreign, viewer] = await Promise.all([adminOf('operator', 'searched'), adminOf('operator', 'owned'), adminOf('viewer', 'searched')]);
    expect(await found('whale', own)).toEqual([whale]);
    expect((await foreign.call('GET', 'requests?q=whale')).json.data).toEqual([]);
    for (const path of ['requests?q=whale', 'usage/export?q=whale']) expect(await viewer.call('GET', path)).toMatchObject({ status: 403, json: { error: { code: 'permission_denied', param: 'q' } } });
  });
});
