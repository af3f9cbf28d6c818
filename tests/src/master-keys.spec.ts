import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, FakeTransit, status, testCluster, testDatabase, type FakeProvider, type TestCluster } from '@deja/testing';
import { AdminClient, Answers } from './admin-client.ts';
import { chat, eventually, post } from './client.ts';
import { placesOf, postgresDump, secretsIn, type Planted } from './secret-search.ts';

const ROUTER = fileURLToPath(new URL('../../apps/router/out/main.mjs', import.meta.url));
const APPS = ['gateway', 'router'] as const;
/** Of the provider, so that it stands everywhere where a secret might. */
const MARKER = `marked${randomBytes(12).toString('hex')}`;

const answers = new Answers();
const planted: Planted = {};
let provider: FakeProvider;
let directory: string;

/** 32 bytes in base64 that are searched for at the end. */
function masterKey(name: string): string {
  planted[name] = randomBytes(32).toString('base64');
  return planted[name];
}

function value(name: string): string {
  planted[name] = `sk-${name}-${randomBytes(18).toString('hex')}`;
  return planted[name];
}

const configuration = (): object => ({
  providers: { [MARKER]: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [] } },
  // A captured request would have a data key made, at a moment of its own.
  capture: 'none',
  models: [{ name: '*', deployments: [{ provider: MARKER, model: '*' }] }],
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deja-master-keys-'));
  const known = new Set<string | null>();
  provider = await fakeProvider({
    otherwise: ({ credential }) => {
      for (const secret of Object.values(planted)) known.add(secret);
      return known.has(credential) ? answer('Yes, of course.') : status(401);
    },
  });
});
afterAll(async () => {
  await provider?.close();
  await rm(directory, { recursive: true, force: true });
});

let questions = 0;
const asked = async (cluster: TestCluster): Promise<[number, string | null | undefined]> => {
  const { status: code } = await post(cluster, chat(`Question ${questions++} about master keys, if you please.`));
  return [code, provider.requests.at(-1)?.credential];
};

const keysInUse = async (cluster: TestCluster): Promise<string[]> =>
  (await cluster.sql<{ id: string }>('select key_id as id from router.credential_values union select key_id from router.intake_key order by 1')).map(({ id }) => id);

/** Nothing of what was planted is anywhere. */
async function expectNoSecrets(cluster: TestCluster): Promise<void> {
  const places = await placesOf(cluster, { answers });
  expect(secretsIn(places, { marker: MARKER })).toEqual(expect.arrayContaining(['postgres: marker', 'redis: marker', 'metrics: marker', 'answers: marker']));
  expect(secretsIn(places, { ...planted, 'admin key': cluster.adminKey, 'client key': cluster.key })).toEqual([]);
}

describe('master keys in a file', () => {
  const former = masterKey('former');
  const next = masterKey('next');
  let cluster: TestCluster;
  let admin: AdminClient;
  let file: string;

  beforeAll(async () => {
    file = join(directory, 'master-keys');
    await writeFile(file, `former:${former}`);
    cluster = await testCluster({ config: configuration(), apps: APPS, scale: { router: 2 }, env: { DEJA_MASTER_KEY_FILE: file, LOG_LEVEL: 'trace' } });
    admin = new AdminClient(cluster, answers);
  }, 60_000);
  afterAll(async () => {
    await cluster?.stop();
  });

  /** As docs/custody.md says it: each step in every router before the next one. */
  async function rollOut(keys: string): Promise<void> {
    await writeFile(file, keys);
    for (const n of [1, 2]) await cluster.restart('router', n);
  }

  /** Keeps asking until `during` is over. The statuses that were not 200. */
  async function failuresDuring(during: () => Promise<unknown>): Promise<number[]> {
    let over = false;
    const failures: number[] = [];
    const asking = (async () => {
      while (!over) {
        const [code] = await asked(cluster);
        if (code !== 200) failures.push(code);
        await new Promise((resolve) => setTimeout(resolve, 20)); // leaves the machine to those who start
      }
    })();
    await during().finally(() => (over = true));
    await asking;
    return failures;
  }

  test('a new one takes the place of the old one while requests, new credentials and rotations go on', async () => {
    const [first, second, third] = [value('first'), value('second'), value('third')];
    const { id } = await admin.create({ provider: MARKER, name: 'main', value: first });
    await eventually('the credential in use', async () => (await asked(cluster)).join() === `200,${first}`);
    const failures = await failuresDuring(async () => {
      await rollOut(`former:${former}, next:${next}`);
      await admin.create({ provider: MARKER, name: 'second', value: second });
      expect(await keysInUse(cluster)).toEqual(['former']);
      await writeFile(file, `next:${next}\nformer:${former}\n`);
      await cluster.restart('router', 1);
      // Half of the routers wrap with the new key, and the other half can read it.
      for (let i = 0; i < 4; i++) await admin.done('POST', `credentials/${id}/rotate`, { value: i === 3 ? third : value(`between-${i}`), grace_s: i % 2 });
      await cluster.restart('router', 2);
      const report = await admin.done('POST', 'vault/rewrap');
      expect(report).toEqual({ current_key: 'next', rewrapped: expect.any(Number), remaining: 0, failed: [] });
      expect(await keysInUse(cluster)).toEqual(['next']);
      expect(await admin.done('POST', 'vault/rewrap')).toEqual({ current_key: 'next', rewrapped: 0, remaining: 0, failed: [] });
      await rollOut(`next:${next}`);
    });
    expect(failures).toEqual([]);
    // A gateway that starts anew has nothing but what these routers can open.
    await cluster.restart('gateway');
    const used = new Set<unknown>();
    await eventually('both credentials in use', async () => {
      const [code, credential] = await asked(cluster);
      expect(code).toBe(200);
      return used.add(credential).size === 2;
    });
    expect(used).toEqual(new Set([second, third]));
    await admin.create({ provider: MARKER, name: 'fourth', value: value('fourth') });
  }, 90_000);

  test.each([
    ['missing', 'other', `other:${masterKey('other')}`, /^deja router: the vault holds values under the master key "(former|next)", which is missing: add \1:<its 32 bytes in base64> to DEJA_MASTER_KEY .*\.$/],
    ['another one under the same id', 'wrong', null, /^deja router: the vault knows another master key by the name "(former|next)": give it the key of that name that was used before, or give a new key a new id\. Nothing was changed\.$/],
    ['cut short', 'short', `next:${next.slice(0, 40)}`, /^deja router: DEJA_MASTER_KEY must hold keys of exactly 32 bytes in base64, but its key is none\.$/],
    ['not given at all', 'none', '', /^deja router: DEJA_MASTER_KEY is missing: set it, or DEJA_MASTER_KEY_FILE, to 32 random bytes in base64 .*\.$/],
  ])('one that is %s ends a router’s start with one sentence, and changes nothing', async (_what, name, keys, sentence) => {
    await eventually('the vault in use', async () => (await admin.list()).length > 0 || admin.create({ provider: MARKER, name: 'kept', value: value('kept') }));
    const given = keys ?? (await keysInUse(cluster)).map((id) => `${id}:${masterKey(name)}`).join();
    const before = await postgresDump(cluster, 'router');
    const { code, output } = await startRouter({ REDIS_URL: cluster.redisUrl, DATABASE_URL: cluster.databaseUrl, DEJA_CONFIG: join(cluster.dataDir, 'deja.yaml'), DEJA_MASTER_KEY: given });
    const lines = output.trim().split('\n');
    expect([code, lines.filter((line) => !line.startsWith('{'))]).toEqual([1, [expect.stringMatching(sentence)]]);
    expect(secretsIn({ output }, planted)).toEqual([]);
    expect(await postgresDump(cluster, 'router')).toBe(before);
    expect((await asked(cluster))[0]).toBe(200);
  });

  test('none of them is in clear anywhere', async () => {
    await expectNoSecrets(cluster);
  });
});

describe('a master key without a name', () => {
  test('makes way for a new one in the documented steps, being given a name on the way', async () => {
    const unnamed = masterKey('unnamed');
    const latest = masterKey('latest');
    const secret = value('of-the-unnamed');
    const file = join(directory, 'unnamed');
    await writeFile(file, unnamed);
    const cluster = await testCluster({ config: configuration(), apps: APPS, scale: { router: 2 }, env: { DEJA_MASTER_KEY_FILE: file, LOG_LEVEL: 'trace' } });
    try {
      const admin = new AdminClient(cluster, answers);
      const { id } = await admin.create({ provider: MARKER, name: 'main', value: value('first-of-the-unnamed') });
      expect(await keysInUse(cluster)).toEqual([expect.stringMatching(/^mk-[0-9a-f]{8}$/)]);
      for (const keys of [`old:${unnamed},latest:${latest}`, `latest:${latest},old:${unnamed}`]) {
        await writeFile(file, keys);
        await cluster.restart('router', 1);
        // By way of either router, of which one still knows the key without a name, or as the current one.
        for (let i = 0; i < 4; i++) await admin.done('POST', `credentials/${id}/rotate`, { value: i === 3 ? secret : value(`between-the-unnamed-${i}`), grace_s: 0 });
        await cluster.restart('router', 2);
        await eventually('the credential in use', async () => (await asked(cluster)).join() === `200,${secret}`);
      }
      expect(await admin.done('POST', 'vault/rewrap')).toEqual({ current_key: 'latest', rewrapped: expect.any(Number), remaining: 0, failed: [] });
      expect(await keysInUse(cluster)).toEqual(['latest']);
      expect((await cluster.whenLogged('the vault was rewrapped')).text).toContain('"master_key_id":"latest"');
      await writeFile(file, `latest:${latest}`);
      for (const n of [1, 2]) await cluster.restart('router', n);
      await cluster.restart('gateway');
      await eventually('the credential in use', async () => (await asked(cluster)).join() === `200,${secret}`);
      await expectNoSecrets(cluster);
    } finally {
      await cluster.stop();
    }
  }, 90_000);
});

/** A router of its own beside those of the cluster, until it ends. */
function startRouter(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [ROUTER], { env: { PATH: process.env['PATH'] ?? '', OPS_PORT: '0', LOG_LEVEL: 'trace', ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

describe('a master key in a Vault', () => {
  test('wraps what is stored, and takes over from local keys and gives back to them', async () => {
    const transit = await FakeTransit.start({ token: `hvs.${randomBytes(24).toString('hex')}` });
    planted['token'] = transit.token;
    const database = await testDatabase();
    const local = masterKey('local');
    const vault = { VAULT_ADDR: transit.address, VAULT_TOKEN: transit.token };
    const secret = value('travels');
    /** The whole cluster stops in between: all that the next one has is the database. */
    const withKeys = async (env: Record<string, string>, during: (cluster: TestCluster, admin: AdminClient) => Promise<void>): Promise<void> => {
      const cluster = await testCluster({ config: configuration(), apps: APPS, databaseUrl: database.url, env: { LOG_LEVEL: 'trace', ...env } });
      try {
        await during(cluster, new AdminClient(cluster, answers));
        await expectNoSecrets(cluster);
      } finally {
        await cluster.stop();
      }
    };
    const serves = (cluster: TestCluster, credential: string): Promise<unknown> => eventually('the credential in use', async () => (await asked(cluster)).join() === `200,${credential}`);
    const transitKey = 'transit:transit/deja:v1';
    try {
      await withKeys({ DEJA_MASTER_KEY: `local:${local}` }, async (cluster, admin) => {
        await admin.create({ provider: MARKER, name: 'main', value: secret });
        await serves(cluster, secret);
      });
      await withKeys({ DEJA_MASTER_KEY: `local:${local}`, ...vault, DEJA_TRANSIT_KEY: 'deja' }, async (cluster, admin) => {
        await serves(cluster, secret);
        expect(await admin.done('POST', 'vault/rewrap')).toEqual({ current_key: transitKey, rewrapped: 2, remaining: 0, failed: [] });
        expect(await keysInUse(cluster)).toEqual([transitKey]);
      });
      // The launcher gives every router a key of its own making; this one holds nothing.
      await withKeys({ ...vault, DEJA_TRANSIT_KEY: 'deja' }, async (cluster, admin) => {
        await serves(cluster, secret);
        const next = value('made-with-transit');
        const { id } = (await admin.list())[0]!;
        await admin.done('POST', `credentials/${id}/rotate`, { value: next, grace_s: 0 });
        await serves(cluster, next);
        transit.rotate('deja');
        expect(await admin.done('POST', 'vault/rewrap')).toEqual({ current_key: 'transit:transit/deja:v2', rewrapped: 2, remaining: 0, failed: [] });
        transit.mood = 'sealed';
        expect((await asked(cluster))[0]).toBe(200);
        const away = await admin.call('POST', `credentials/${id}/rotate`, { value: secret });
        expect([away.status, away.json.error?.code, away.headers.get('retry-after')]).toEqual([503, 'overloaded', '1']);
        transit.mood = 'well';
        await admin.done('POST', `credentials/${id}/rotate`, { value: secret, grace_s: 0 });
      });
      await withKeys({ DEJA_MASTER_KEY: `local:${local}`, ...vault }, async (cluster, admin) => {
        await serves(cluster, secret);
        expect(await admin.done('POST', 'vault/rewrap')).toEqual({ current_key: 'local', rewrapped: 2, remaining: 0, failed: [] });
      });
      await transit.stop();
      await withKeys({ DEJA_MASTER_KEY: `local:${local}` }, (cluster) => serves(cluster, secret).then(() => undefined));
      expect(secretsIn({ 'what Vault was sent': transit.received.join('\n') }, { secret, local })).toEqual([]);
    } finally {
      await transit.stop().catch(() => undefined);
      await database.drop();
    }
  }, 120_000);
});
