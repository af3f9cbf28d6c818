import { readEnvironment } from '@deja/config';
import { cacheEntryKey, newId, semanticPresenceKey, type Invalidation, type SemanticCacheRpc, type SemanticPolicy } from '@deja/contracts';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { StreamsClient } from '@deja/transport';
import { Redis } from 'ioredis';
import { ENTRY_LOG } from '../src/entries/entry-log.ts';
import { EVIDENCE_LOG } from '../src/evidence/evidence-log.ts';
import { startReplica, type Replica } from '../src/replica.ts';
import { eventually, RedisProcess } from '@deja/testing';

const until = (condition: () => boolean | Promise<boolean>): Promise<true> => eventually(String(condition), condition);

const MODELS = new URL('../../../models/', import.meta.url);
const FINGERPRINT = 'f'.repeat(64);
const logger = createLogger({ service: 'test', instance: 'test', level: 'silent' });
const telemetry = startTelemetry({ service: 'test', instance: 'test' });

type LookupRequest = SemanticCacheRpc['lookup']['request'];
type LookupReply = SemanticCacheRpc['lookup']['reply'];

let server: RedisProcess;
let redis: Redis;
let client: StreamsClient;
const replicas: Replica[] = [];

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = new Redis(server.url);
  client = new StreamsClient({ service: 'semantic-cache', redisUrl: server.url, logger });
});
beforeEach(async () => {
  await redis.flushall();
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.close()));
});
afterAll(async () => {
  await client.close();
  redis.disconnect();
  await server.stop();
  await telemetry.shutdown();
});

async function replica(): Promise<Replica> {
  const environment = { ...readEnvironment({ REDIS_URL: server.url }), opsPort: 0 };
  const started = await startReplica({ environment, models: MODELS, logger, telemetry });
  replicas.push(started);
  return started;
}

const partition = { tenant: 'acme', scope: 'tenant', fingerprint: FINGERPRINT };
const policy: SemanticPolicy = { verification: 'strict', maxWrongRate: 0.01, auditShare: 0, judged: false };
const lookup = (text: string, more: Partial<LookupRequest> = {}): Promise<LookupReply> => client.call('lookup', { ...partition, text, model: 'm', policy, ...more }, { deadlineMs: 2000 });
async function store(text: string, more: object = {}): Promise<string> {
  const entry = newId();
  await client.notify('store', { ...partition, text, entry, expiresAtMs: Date.now() + 60_000, ...more });
  return entry;
}
const isHit = async (text: string, entry: string): Promise<boolean> => {
  const reply = await lookup(text);
  return reply.outcome === 'hit' && reply.entry === entry;
};

/** Asks so often that both of two replicas have answered, with as good as certainty. */
async function askedOften(text: string, more: Partial<LookupRequest> = {}): Promise<LookupReply[]> {
  return await Promise.all(Array.from({ length: 40 }, () => lookup(text, more)));
}

test('what one replica stored, all replicas find', async () => {
  await Promise.all([replica(), replica()]);
  const entry = await store('What is the capital of France?');
  await until(async () => (await askedOften('what is the capital of  FRANCE')).every((reply) => reply.outcome === 'hit' && reply.entry === entry));
  expect(await lookup('What’s the capital of France?')).toMatchObject({ outcome: 'hit', entry, kind: 'surface' });
  expect(await lookup('What is the capital of Spain?')).toEqual({ outcome: 'miss', reason: 'not_verified' });
  expect(await lookup('What is the capital of France?')).toMatchObject({ outcome: 'hit', entry, similarity: 1, kind: 'same_text', explanation: 'same text' });
  expect(await redis.exists(semanticPresenceKey('acme', 'tenant', FINGERPRINT))).toBe(1);
});

test('no tenant, scope or fingerprint finds the entry of another', async () => {
  await replica();
  const entry = await store('How do I turn on dark mode?');
  await until(() => isHit('How do I turn on dark mode?', entry));
  for (const other of [{ tenant: 'other' }, { scope: 'key:1' }, { fingerprint: 'e'.repeat(64) }]) {
    expect(await lookup('How do I turn on dark mode?', other)).toEqual({ outcome: 'miss', reason: 'no_candidate' });
  }
});

test('the opposite question is not answered', async () => {
  await replica();
  const entry = await store('How do I turn on dark mode?');
  await until(() => isHit('How do I turn on dark mode?', entry));
  expect(await lookup('How do I turn off dark mode?')).toEqual({ outcome: 'miss', reason: 'not_verified' });
});

describe('what was found out about answers', () => {
  const asked = 'How do I turn on dark mode?';
  const audit = (entry: string, same: boolean): Promise<void> => client.notify('audit', { tenant: 'acme', model: 'm', entry, kind: 'same_text', similarity: 1, refused: false, same, answers: null });
  const rates = async (): Promise<SemanticCacheRpc['wrong_rates']['reply']['rates']> => (await client.call<SemanticCacheRpc['wrong_rates']['reply']>('wrong_rates', { tenant: 'acme' }, { deadlineMs: 2000 })).rates;

  test('every replica learns, and one that starts later knows', async () => {
    const [first] = await Promise.all([replica(), replica()]);
    const entry = await store(asked);
    await until(async () => (await askedOften(asked)).every((reply) => reply.outcome === 'hit'));
    for (let i = 0; i < 5; i++) await audit(entry, false);
    await until(async () => (await askedOften(asked)).every((reply) => reply.outcome === 'miss' && ['too_risky', 'stopped'].includes(reply.reason)));
    await until(async () => ((await rates())[0]?.wrong ?? 0) > 4.9);
    await replica();
    replicas.splice(replicas.indexOf(first), 1);
    await first.close();
    expect((await askedOften(asked)).filter((reply) => reply.outcome !== 'miss')).toEqual([]);
    expect(await rates()).toMatchObject([{ tenant: 'acme', model: 'm', stopped: true }]);
    expect(await lookup(asked, { tenant: 'other' })).toEqual({ outcome: 'miss', reason: 'no_candidate' });
  });

  test('answers that the gateway could not tell apart are compared, and what stays doubtful teaches nothing', async () => {
    await replica();
    const compared = (kept: string, fresh: string): Promise<void> => client.notify('audit', { tenant: 'acme', model: 'm', entry: newId(), kind: 'surface', similarity: 0.9, refused: false, same: null, answers: { kept, fresh } });
    await compared('Open the settings, choose display and turn on dark mode.', 'Choose display in the settings and turn dark mode on.');
    await until(async () => (await rates())[0]?.observations === 1 || (await redis.xlen(EVIDENCE_LOG.key)) > 0);
    await compared('Open the settings, choose display and turn on dark mode.', 'The Nile is the longest river in Africa and flows north.');
    await until(async () => ((await rates())[0]?.wrong ?? 0) > 0.99);
    expect(JSON.stringify(await redis.xrange(EVIDENCE_LOG.key, '-', '+'))).not.toMatch(/settings|Nile/);
  });

  test('a pair is served once the judge has said that it asks the same, and never after it has said no', async () => {
    await replica();
    const judged = { policy: { ...policy, judged: true } };
    const entry = await store(asked);
    await until(() => isHit(asked, entry));
    expect(await lookup('How can I turn on dark mode?', judged)).toMatchObject({ outcome: 'miss', reason: 'unjudged', unjudged: { entry, text: asked } });
    await client.notify('judged', { ...partition, text: 'How can I turn on dark mode?', entry, same: true });
    await until(async () => (await lookup('How can I turn on dark mode?', judged)).outcome === 'hit');
    await client.notify('judged', { ...partition, text: 'How would I turn on dark mode?', entry, same: false });
    await until(async () => { const reply = await lookup('How would I turn on dark mode?', judged); return reply.outcome === 'miss' && reply.reason === 'not_verified'; });
    expect(JSON.stringify(await redis.xrange(EVIDENCE_LOG.key, '-', '+'))).not.toContain('dark');
  });

  test('a share of what would be hits is to be audited', async () => {
    await replica();
    const entry = await store(asked);
    await until(() => isHit(asked, entry));
    const outcomes = await askedOften(asked, { policy: { ...policy, auditShare: 1 } });
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['audit']));
  });

  test('no answer is served where none may be wrong', async () => {
    await replica();
    const entry = await store(asked);
    await until(() => isHit(asked, entry));
    expect(await lookup(asked, { policy: { ...policy, maxWrongRate: 0 } })).toMatchObject({ outcome: 'miss', reason: 'too_risky' });
  });
});

test('vectors of another embedder are another index', async () => {
  await replica();
  const vector = (values: number[]): { embedder: string; values: string } => ({ embedder: 'p:other', values: Buffer.from(Float32Array.from(values).buffer).toString('base64') });
  const along = vector([1, ...Array<number>(15).fill(0)]);
  const entry = await store('Wie ist das Wetter in Bern?', { vector: along });
  await until(async () => (await lookup('Wie ist das Wetter in Bern?', { vector: along })).outcome === 'hit');
  expect(await lookup('Wie ist das Wetter in Bern?', { vector: along })).toMatchObject({ entry, kind: 'same_text' });
  expect(await lookup('Wie ist das Wetter in Bern?', { vector: { ...along, embedder: 'p:third' } })).toEqual({ outcome: 'miss', reason: 'no_candidate' });
  expect(await lookup('Wie ist das Wetter in Bern?', { vector: { ...along, values: 'AAA' } })).toEqual({ outcome: 'miss', reason: 'embedder_unavailable' });
});

test('questions like a text are told with their entries, of one tenant or of all', async () => {
  await replica();
  const ours = await store('How do I turn on dark mode?');
  const theirs = await store('How do I turn on the dark mode?', { tenant: 'other' });
  await store('How tall is Mount Everest?');
  const similar = (tenant: string | null, limit = 10): Promise<SemanticCacheRpc['similar']['reply']> => client.call('similar', { tenant, text: 'turn on dark mode', minSimilarity: 0.5, limit }, { deadlineMs: 2000 });
  await until(async () => (await similar(null)).entries.length === 2);
  expect((await similar('acme')).entries).toMatchObject([{ tenant: 'acme', entry: ours, text: 'How do I turn on dark mode?' }]);
  expect((await similar(null)).entries.map(({ entry }) => entry).sort()).toEqual([ours, theirs].sort());
  expect(await similar(null, 1)).toMatchObject({ tooMany: true, entries: [expect.anything()] });
});

test('a restarted replica knows all entries before it answers', async () => {
  const first = await replica();
  const entry = await store('Who wrote One Hundred Years of Solitude?');
  await until(() => isHit('Who wrote One Hundred Years of Solitude?', entry));
  replicas.splice(0);
  await first.close();
  await replica();
  expect(await lookup('who wrote one hundred years of solitude')).toMatchObject({ outcome: 'hit', entry });
});

test('after Redis was emptied, nothing old is found, and new entries are', async () => {
  await Promise.all([replica(), replica()]);
  const old = await store('What is the boiling point of ethanol?');
  await until(() => isHit('What is the boiling point of ethanol?', old));
  await redis.flushall();
  await until(async () => (await askedOften('What is the boiling point of ethanol?')).every((reply) => reply.outcome === 'miss'));
  const fresh = await store('What is the boiling point of ethanol?');
  await until(async () => (await askedOften('What is the boiling point of ethanol?')).every((reply) => reply.outcome === 'hit' && reply.entry === fresh));
  expect(fresh).not.toBe(old);
});

test('an entry is not found after its time', async () => {
  await replica();
  const brief = await store('Name three rivers in Germany', { expiresAtMs: Date.now() + 1400 });
  await until(() => isHit('Name three rivers in Germany', brief));
  await until(async () => (await lookup('Name three rivers in Germany')).outcome === 'miss');
  await store('Name three rivers in Spain', { expiresAtMs: Date.now() - 1 });
  const sentinel = await store('Name three rivers in Italy');
  await until(() => isHit('Name three rivers in Italy', sentinel));
  expect((await lookup('Name three rivers in Spain')).outcome).toBe('miss');
});

test('an event delivered twice makes one entry', async () => {
  await replica();
  const entry = newId();
  const event = { ...partition, text: 'What is photosynthesis about?', entry, expiresAtMs: Date.now() + 60_000 };
  await client.notify('store', event);
  await client.notify('store', event);
  await until(async () => (await redis.xlen(ENTRY_LOG.key)) === 2);
  await until(() => isHit('What is photosynthesis about?', entry));
  const { opsPort } = replicas[0]!;
  expect(await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()).toMatch(/deja_semantic_cache_entries(?:\{[^}]*\})? 1\b/);
});

describe('what was taken back', () => {
  const made = (createdAtMs: number, more: object = {}): object => ({ made: { createdAtMs, model: 'm', ...more } });
  const takeBack = (more: Partial<Invalidation> = {}): Promise<void> =>
    client.notify('invalidate', { id: newId(), tenant: 'acme', model: null, tag: null, entry: null, beforeMs: 1000, madeAtMs: Date.now(), ...more });

  test('is not found by any replica, nor by one that starts later', async () => {
    const [first] = await Promise.all([replica(), replica()]);
    const old = await store('What is the boiling point of ethanol?', made(1000, { tags: { team: 'a' } }));
    await until(async () => (await askedOften('What is the boiling point of ethanol?')).every((reply) => reply.outcome === 'hit' && reply.entry === old));
    await takeBack({ model: 'm', tag: 'team=a' });
    await until(async () => (await askedOften('What is the boiling point of ethanol?')).every((reply) => reply.outcome === 'miss'));
    await replica();
    expect(await first.close().then(() => askedOften('What is the boiling point of ethanol?'))).toEqual(Array(40).fill({ outcome: 'miss', reason: 'no_candidate' }));
    replicas.splice(replicas.indexOf(first), 1);
  });

  test('does not hide another answer to the same question', async () => {
    await replica();
    const wrong = await store('What is the boiling point of ethanol?', made(1000));
    await until(() => isHit('What is the boiling point of ethanol?', wrong));
    const right = await store('what is the boiling point of ethanol', made(1000));
    await takeBack({ entry: wrong });
    await until(async () => (await lookup('What is the boiling point of ethanol?')).outcome === 'hit' && !(await isHit('What is the boiling point of ethanol?', wrong)));
    expect(await lookup('What is the boiling point of ethanol?')).toMatchObject({ outcome: 'hit', entry: right });
  });

  test('stays away when its event comes late, and what is made later is found', async () => {
    await replica();
    await takeBack();
    const sentinel = await store('What is a sentinel for?', made(1001));
    await until(() => isHit('What is a sentinel for?', sentinel));
    await store('How tall is Mount Everest?', made(1000));
    await store('How tall is Mount Kenya?', {}); // of a gateway that does not say when
    const later = await store('How tall is Mount Logan?', made(1001));
    await until(() => isHit('How tall is Mount Logan?', later));
    for (const mountain of ['Everest', 'Kenya']) expect(await lookup(`How tall is Mount ${mountain}?`)).toMatchObject({ outcome: 'miss' });
  });
});

test('a malformed message is refused by name and without its content', async () => {
  await replica();
  await expect(lookup('secret words', { tenant: '' })).rejects.toMatchObject({ name: 'DejaError', code: 'invalid_value', param: 'tenant' });
  await expect(lookup('x'.repeat(5000))).rejects.toMatchObject({ code: 'invalid_value', param: 'text' });
  await expect(lookup('secret words', { fingerprint: 'short' })).rejects.toThrow(/^(?!.*secret)/);
});

test('text beyond the embedder is a miss with its reason, and is not stored', async () => {
  await replica();
  expect(await lookup('Как сбросить пароль')).toEqual({ outcome: 'miss', reason: 'script' });
  await store('Как сбросить пароль');
  const sentinel = await store('What is a sentinel for?');
  await until(() => isHit('What is a sentinel for?', sentinel));
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(1);
});

test('Redis holds nothing of an entry but the log and the presence of its partition', async () => {
  await replica();
  const entry = await store('How tall is Mount Kilimanjaro?');
  await until(() => isHit('How tall is Mount Kilimanjaro?', entry));
  const keys = (await redis.keys('deja:cache:*')).sort();
  expect(keys).toEqual([ENTRY_LOG.key, ENTRY_LOG.epochKey, semanticPresenceKey('acme', 'tenant', FINGERPRINT)].sort());
  expect(keys).not.toContain(cacheEntryKey('acme', entry));
});

test('a replica that has read the log says that it is ready, and counts what it did', async () => {
  const { opsPort } = await replica();
  const entry = await store('How tall is Mount Everest?');
  await until(() => isHit('How tall is Mount Everest?', entry));
  const ready = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { ready: true, checks: { model: true, log_replayed: true, redis: true, bus: true, accepting: true } }]);
  const metrics = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  expect(metrics).toMatch(/deja_semantic_cache_lookups_total\{[^}]*outcome="hit"/);
  expect(metrics).toContain('deja_semantic_cache_entries');
  expect(metrics).not.toContain('Everest');
});
