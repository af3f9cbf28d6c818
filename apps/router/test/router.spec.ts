import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readEnvironment } from '@deja/config';
import { SNAPSHOT_KEY, type AdminCall, type AttemptOutcome, type CredentialRef, type JsonWebKeyPublic, type RouterRpc, type RoutingSnapshot } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { StreamsClient } from '@deja/transport';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import pg from 'pg';
import { startRouter, type RunningRouter } from '../src/router.ts';
import { eventually, RedisProcess, testDatabase, type TestDatabase } from '@deja/testing';
import { ROOT } from './admin-stage.ts';
import { recorder } from './infrastructure.ts';

jest.setTimeout(60_000);

const BOOTSTRAP_KEY = 'sk-deja-planted-client-key';
const YAML = `providers:
  p:
    kind: openai
    base_url: http://127.0.0.1:9/v1
    credentials: [{ name: a, value: planted-value-a }, { name: b, value: planted-value-b }]
models: [{ name: m, deployments: [{ provider: p, model: m }] }]
`;

let dir: string;
let redisServer: RedisProcess;
let redis: RedisClient;
let database: TestDatabase;
let telemetry: Telemetry;
let client: StreamsClient;
let lines: Record<string, unknown>[];
const routers: RunningRouter[] = [];

async function replica(over: NodeJS.ProcessEnv = {}): Promise<RunningRouter> {
  const variables = { REDIS_URL: redisServer.url, DATABASE_URL: database.url, OPS_PORT: '0', DEJA_CONFIG: join(dir, 'deja.yaml'), DEJA_BOOTSTRAP_KEY: BOOTSTRAP_KEY, DEJA_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'), ...over };
  const recorded = recorder();
  lines = recorded.lines;
  const router = await startRouter({ environment: { ...readEnvironment(variables), variables }, logger: recorded.logger, telemetry });
  routers.push(router);
  return router;
}

const resolveKey = (key: string): Promise<RouterRpc['resolve_key']['reply']> =>
  client.call('resolve_key', { keySha256: createHash('sha256').update(key).digest('hex'), publicId: null }, { deadlineMs: 5000 });

const snapshot = async (): Promise<RoutingSnapshot> => JSON.parse((await redis.get(SNAPSHOT_KEY)) ?? 'null') as RoutingSnapshot;

async function readiness(router: RunningRouter): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${router.opsPort}/readyz`)).json();
}

/** What the router gives to a gateway that asks for these credentials, opened with that gateway's key. */
async function leased(wanted: { id: string; version: string }[]): Promise<Record<string, string>> {
  const pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  const publicKey = (await exportJWK(pair.publicKey)) as JsonWebKeyPublic;
  const { leases } = await client.call<RouterRpc['credential']['reply']>('credential', { credentials: wanted, publicKey }, { deadlineMs: 5000 });
  const opened = await Promise.all(leases.map(async ({ id, jwe }): Promise<[string, string]> => [id, new TextDecoder().decode((await compactDecrypt(jwe, pair.privateKey)).plaintext)]));
  return Object.fromEntries(opened);
}

const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({ atMs: Date.now(), deployment: 'p/m', credential: 'p/a', version: null, status: 429, failure: 'rate', retryAfterMs: 60_000, firstByteMs: null, durationMs: 1, ...over });

beforeAll(async () => {
  redisServer = await RedisProcess.start();
  telemetry = startTelemetry({ service: 'router', instance: 'test', variables: {} });
});
afterAll(async () => {
  await redisServer.stop();
  await telemetry.shutdown();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'deja-router-'));
  await writeFile(join(dir, 'deja.yaml'), YAML);
  database = await testDatabase();
  const { logger } = recorder();
  redis = openRedis(redisServer.url, { role: 'commands', name: 'look', logger });
  await whenReady(redis, 25_000);
  await redis.flushall();
  client = new StreamsClient({ service: 'router', redisUrl: redisServer.url, logger });
  await client.connect();
});
afterEach(async () => {
  await client.close();
  for (const router of routers.splice(0)) await router.close();
  redis.disconnect();
  await database.drop();
  await rm(dir, { recursive: true });
});

describe('a router', () => {
  test('is ready when it has migrated, Redis is there, the snapshot is published and it listens', async () => {
    const router = await replica();
    expect(await eventually('readiness', async () => {
      const seen = await readiness(router);
      return JSON.stringify(seen).includes('"ready":true') ? seen : null;
    })).toEqual({ ready: true, checks: { migrations: true, redis: true, snapshot: true, listening: true } });
  });

  test('answers who a key is and gives credentials sealed to the one who asks', async () => {
    await replica();
    expect(await resolveKey(BOOTSTRAP_KEY)).toMatchObject({ status: 'active', principal: { tenant: 'default', models: null, limits: { tenant: {}, key: {}, perUser: {} } } });
    expect(await resolveKey('never made')).toEqual({ status: 'unknown', principal: null });
    const { credentials } = (await snapshot()).deployments[0]!;
    expect(await leased(credentials)).toEqual({ 'p/a': 'planted-value-a', 'p/b': 'planted-value-b' });
    expect(await leased([{ id: 'p/a', version: 'another' }, { id: 'q/a', version: credentials[0]!.version }])).toEqual({});
  });

  test('refuses a message that is not of the expected form, naming the field', async () => {
    await replica();
    await expect(client.call('resolve_key', { keySha256: 'x', publicId: null }, { deadlineMs: 5000 })).rejects.toMatchObject({ code: 'invalid_value', param: 'keySha256' });
    await expect(client.call('credential', { credentials: [], publicKey: { kty: 'EC' } }, { deadlineMs: 5000 })).rejects.toMatchObject({ code: 'invalid_value', param: 'publicKey.crv' });
  });

  test('takes a changed file while it runs, gives the new value, and keeps the last good one when the next is bad', async () => {
    await replica();
    const before = await snapshot();
    await writeFile(join(dir, 'deja.yaml'), YAML.replace('planted-value-a', 'planted-value-c'));
    const after = await eventually('the new version', async () => {
      const now = await snapshot();
      return now.version > before.version ? now : null;
    });
    const { credentials } = after.deployments[0]!;
    expect(await leased(credentials)).toEqual({ 'p/a': 'planted-value-c', 'p/b': 'planted-value-b' });
    await eventually('the old value to be gone', async () => Object.keys(await leased(before.deployments[0]!.credentials)).join() === 'p/b');

    await writeFile(join(dir, 'deja.yaml'), `${YAML}cahce: {}\n`);
    await eventually('the refusal', () => lines.some((line) => String(line['msg']).includes('did you mean "cache"')));
    expect(await leased(credentials)).toEqual({ 'p/a': 'planted-value-c', 'p/b': 'planted-value-b' });
    expect((await snapshot()).version).toBe(after.version);
  });

  test('does not start on a bad file or without a database, and says what to change', async () => {
    await expect(replica({ DATABASE_URL: '' })).rejects.toThrow('DATABASE_URL is missing');
    await writeFile(join(dir, 'deja.yaml'), 'modles: []\n');
    await expect(replica()).rejects.toThrow(`${join(dir, 'deja.yaml')}:1:1: modles: unknown key "modles" (did you mean "models"?)`);
  });

  test('counts what it answers', async () => {
    await replica();
    await resolveKey(BOOTSTRAP_KEY);
    const text = await telemetry.metricsText();
    expect(text).toMatch(/deja_router_key_resolutions\w*\{[^}]*status="active"[^}]*\} \d/);
    expect(text).toContain('deja_router_snapshot_version');
    for (const what of ['credentials', 'deployments']) expect(text).toMatch(new RegExp(`deja_router_unavailable_${what}\\{[^}]*trouble="rate_limited"[^}]*\\} 0`));
  });
});

describe('two replicas', () => {
  test('start together, agree on one snapshot, and answer as one', async () => {
    await Promise.all([replica(), replica()]);
    const { version, deployments } = await snapshot();
    for (let i = 0; i < 6; i++) {
      expect(await resolveKey(BOOTSTRAP_KEY)).toMatchObject({ status: 'active' });
      expect(await leased(deployments[0]!.credentials)).toEqual({ 'p/a': 'planted-value-a', 'p/b': 'planted-value-b' });
    }
    expect((await snapshot()).version).toBe(version);
  });

  test('gather outcomes into one record, whichever takes them', async () => {
    await Promise.all([replica(), replica()]);
    for (const { id, version } of (await snapshot()).deployments[0]!.credentials) await client.notify('attempt_outcomes', { gateway: 'g', outcomes: [outcome({ credential: id, version })] });
    const shown = await eventually('both marks', async () => {
      const now = await snapshot();
      return now.deployments[0]!.credentials.every((c) => c.unavailableUntilMs > Date.now()) ? now : null;
    });
    expect(shown.deployments[0]!.unavailableUntilMs).toBe(0);
  });

  test('forget nothing when both are started again', async () => {
    await Promise.all([replica(), replica()]);
    const [{ id, version }] = (await snapshot()).deployments[0]!.credentials as [CredentialRef];
    await client.notify('attempt_outcomes', { gateway: 'g', outcomes: [outcome({ credential: id, version, status: 402, failure: 'quota' })] });
    const marked = await eventually('the mark', async () => (await snapshot()).deployments[0]!.credentials.find((c) => c.trouble === 'exhausted'));
    for (const router of routers.splice(0)) await router.close();
    await redis.del(SNAPSHOT_KEY);
    await replica();
    expect((await snapshot()).deployments[0]!.credentials[0]).toEqual(marked);
  });

  test('go on as one when the other stops', async () => {
    const [one] = await Promise.all([replica(), replica()]);
    await one.close();
    routers.splice(routers.indexOf(one), 1);
    for (let i = 0; i < 3; i++) expect(await resolveKey(BOOTSTRAP_KEY)).toMatchObject({ status: 'active' });
  });
});

test('no credential and no client key is in Redis, in Postgres, in the log or in a metric', async () => {
  await replica();
  const { credentials } = (await snapshot()).deployments[0]!;
  const { principal } = await resolveKey(BOOTSTRAP_KEY);
  await leased(credentials);
  const change: AdminCall = { operation: 'updateKey', by: ROOT, ifMatch: null, idempotency: null, params: { id: principal!.key }, query: {}, body: { limits: { requests_per_minute: 5 } }, sealTo: null };
  await client.call('admin', change, { deadlineMs: 5000 });
  await client.notify('attempt_outcomes', { gateway: 'g', outcomes: [outcome({ version: credentials[0]!.version, status: 401, failure: 'auth' })] });
  await eventually('the outcome', async () => (await snapshot()).deployments[0]!.credentials[0]!.unavailableUntilMs > 0);

  const metrics = await telemetry.metricsText();
  expect(metrics).toMatch(/deja_pool_set_aside\w*\{[^}]*what="credential"[^}]*trouble="rejected"[^}]*\} 1/);
  const everything = [JSON.stringify(lines), metrics, await redisDump(), await postgresDump()].join('\n');
  expect(everything).toContain('p/a');
  expect(everything).toContain('bootstrap');
  expect(everything).not.toContain('planted');
});

/** Every key, with what DUMP gives as text, which holds short strings as they are; and readable forms of what it may compress. */
async function redisDump(): Promise<string> {
  const parts: string[] = [];
  for (const key of await redis.keys('*')) {
    parts.push(key, (await redis.dumpBuffer(key))?.toString('latin1') ?? '');
    const type = await redis.type(key);
    if (type === 'string') parts.push((await redis.get(key)) ?? '');
    if (type === 'hash') parts.push(JSON.stringify(await redis.hgetall(key)));
    if (type === 'stream') parts.push(JSON.stringify(await redis.xrange(key, '-', '+')));
  }
  return parts.join('\n');
}

async function postgresDump(): Promise<string> {
  const connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  const tables = await connection.query<{ name: string }>(`SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`);
  const rows = [];
  for (const { name } of tables.rows) rows.push(name, JSON.stringify((await connection.query(`SELECT row_to_json(t) FROM ${name} t`)).rows));
  await connection.end();
  return rows.join('\n');
}
