import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { parseConfig } from '@deja/config';
import { PUSH_CHANNEL, SNAPSHOT_KEY, type AttemptOutcome, type Push, type RoutingSnapshot } from '@deja/contracts';
import { openRedis, whenReady } from '@deja/redis';
import type { Redis } from 'ioredis';
import { HealthStore } from '../src/pool/health-store.ts';
import { Pool } from '../src/pool/pool.ts';
import { PushChannel } from '../src/push-channel.ts';
import { contentOf, type SnapshotContent } from '../src/snapshot/content.ts';
import { SnapshotPublisher } from '../src/snapshot/snapshot-publisher.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { eventually, RedisProcess } from '@deja/testing';
import { recorder } from './infrastructure.ts';

jest.setTimeout(30_000);

const TICK_MS = 40;

let server: RedisProcess;
let redis: Redis;
let pushed: Push[];
const closing: (() => Promise<void> | void)[] = [];

/** Configurations that differ in the models they serve. */
function content(models: string[], version = 'v1'): SnapshotContent {
  const parsed = parseConfig(
    `providers: { p: { kind: openai, credentials: [{ name: a, value: k1 }, { name: b, value: k2 }] } }\nmodels: [${models.map((m) => `{ name: ${m}, deployments: [{ provider: p, model: ${m} }] }`).join(', ')}]`,
    { openaiApiKeys: [], openaiBaseUrl: null, variables: {} },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return contentOf(parsed.config, () => version);
}

async function replica(): Promise<{ publisher: SnapshotPublisher; pool: Pool; record: (outcomes: Partial<AttemptOutcome>[]) => Promise<void>; lines: Record<string, unknown>[]; stop: () => Promise<void> }> {
  const { logger, lines } = recorder();
  const connection = openRedis(server.url, { role: 'commands', name: 'test', logger });
  await whenReady(connection, 5000);
  const health = new HealthStore(connection);
  const pool = new Pool(health, logger);
  const publisher = new SnapshotPublisher(new SnapshotStore(connection), health, pool, new PushChannel(connection, logger), logger, TICK_MS);
  const record = async (outcomes: Partial<AttemptOutcome>[]): Promise<void> => {
    const full = outcomes.map((o): AttemptOutcome => ({ atMs: Date.now(), deployment: 'p/m', credential: 'p/a', status: 200, errorCode: null, retryAfterMs: null, firstByteMs: 1, durationMs: 1, ...o }));
    if (await pool.record(full, publisher.content!)) publisher.healthChanged();
  };
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await publisher.stop();
    connection.disconnect();
  };
  closing.push(stop);
  return { publisher, pool, record, lines, stop };
}

async function published(): Promise<RoutingSnapshot | null> {
  const text = await redis.get(SNAPSHOT_KEY);
  return text === null ? null : (JSON.parse(text) as RoutingSnapshot);
}

const modelsOf = (snapshot: RoutingSnapshot | null): string[] => (snapshot?.models ?? []).map((model) => model.name);
const snapshotsPushed = (): RoutingSnapshot[] => pushed.flatMap((push) => (push.kind === 'snapshot' ? [push.snapshot] : []));

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  const { logger } = recorder();
  redis = openRedis(server.url, { role: 'commands', name: 'look', logger });
  await whenReady(redis, 5000);
  await redis.flushall();
  pushed = [];
  const subscriber = openRedis(server.url, { role: 'subscriber', name: 'gateway', logger });
  await whenReady(subscriber, 5000);
  await subscriber.subscribe(PUSH_CHANNEL);
  subscriber.on('message', (_: string, text: string) => void pushed.push(JSON.parse(text) as Push));
  closing.push(() => subscriber.disconnect(), () => redis.disconnect());
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

describe('the routing snapshot', () => {
  test('is written and pushed once by replicas that have the same configuration', async () => {
    const replicas = await Promise.all([replica(), replica(), replica()]);
    await Promise.all(replicas.map(({ publisher }) => publisher.adopt(content(['m']))));
    expect(new Set(replicas.map(({ publisher }) => publisher.version)).size).toBe(1);
    const stored = await published();
    expect(stored).toMatchObject({ version: replicas[0]!.publisher.version, models: [{ name: 'm' }], deployments: [{ id: 'p/m' }] });
    await eventually('the push', () => pushed.length > 0);
    expect(snapshotsPushed()).toEqual([stored]);
  });

  test('gets a higher version with each change of configuration, and a change back is a change', async () => {
    const { publisher } = await replica();
    const versions: number[] = [];
    for (const models of [['m'], ['m', 'n'], ['m']]) {
      await publisher.adopt(content(models));
      versions.push(publisher.version);
      expect(modelsOf(await published())).toEqual(models);
    }
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    expect(versions).toHaveLength(3);
  });

  test('is published again after Redis lost everything, with a version that still grows', async () => {
    const [one, two] = await Promise.all([replica(), replica()]);
    for (const { publisher } of [one, two]) {
      await publisher.adopt(content(['m']));
      publisher.start();
    }
    const before = (await published())!;
    await redis.flushall();
    const again = await eventually('the snapshot to come back', published);
    expect(again.version).toBeGreaterThan(before.version);
    expect(again.deployments).toEqual(before.deployments);
  });

  test('is published as soon as Redis is there, when Redis was away at the start', async () => {
    const one = await replica();
    await server.kill();
    await one.publisher.adopt(content(['m']));
    expect(one.publisher.isPublished).toBe(false);
    one.publisher.start();
    await server.restart();
    await eventually('publication', () => one.publisher.isPublished);
    await whenReady(redis, 5000);
    expect(modelsOf(await published())).toEqual(['m']);
  });

  test('of replicas with different configurations is that of the last to load one; they do not fight', async () => {
    const [older, newer] = await Promise.all([replica(), replica()]);
    await older.publisher.adopt(content(['m']));
    await newer.publisher.adopt(content(['m', 'n']));
    for (const { publisher } of [older, newer]) publisher.start();
    await eventually('the older one to notice', () => older.lines.some((line) => String(line['msg']).includes('another replica published a different configuration')));
    await older.record([{ status: 429, retryAfterMs: 60_000 }]);
    const shown = await eventually('the health that the older one recorded', async () => {
      const stored = await published();
      return stored?.deployments[0]?.credentials[0]?.unavailableUntilMs ? stored : null;
    });
    expect(modelsOf(shown)).toEqual(['m', 'n']);
    expect(snapshotsPushed().map(modelsOf)).toEqual([['m'], ['m', 'n'], ['m', 'n']]);

    await older.publisher.adopt(content(['o', 'm']));
    expect(modelsOf(await published())).toEqual(['o', 'm']);
  });

  test('of a configuration that no living replica has is replaced', async () => {
    const [older, newer] = await Promise.all([replica(), replica()]);
    await older.publisher.adopt(content(['m']));
    await newer.publisher.adopt(content(['m', 'n']));
    for (const { publisher } of [older, newer]) publisher.start();
    await eventually('the older one to give way', () => older.publisher.content!.models.length === 2);
    await newer.stop();
    await eventually('the older one to take over', async () => modelsOf(await published()).length === 1);
    expect(modelsOf(await published())).toEqual(['m']);
  });

  test('tells the gateways which credentials must not be used any more', async () => {
    const { publisher } = await replica();
    await publisher.adopt(content(['m'], 'v1'));
    await publisher.adopt(content(['m'], 'v2'));
    await eventually('the revocation', () => pushed.some((push) => push.kind === 'credential_revoked'));
    expect(pushed.map((push) => push.kind)).toEqual(['snapshot', 'snapshot', 'credential_revoked']);
    expect(pushed.at(-1)).toEqual({ kind: 'credential_revoked', ids: ['p/a', 'p/b'] });
  });
});

describe('outcomes of attempts', () => {
  test('reach every gateway in a snapshot, and a success takes the mark away', async () => {
    const { publisher, record } = await replica();
    await publisher.adopt(content(['m']));
    await record([{ status: 429, retryAfterMs: 60_000 }]);
    const marked = await eventually('the mark', () => snapshotsPushed().find((s) => s.deployments[0]!.credentials[0]!.unavailableUntilMs > Date.now()));
    expect(marked.deployments[0]!.credentials[1]!.unavailableUntilMs).toBe(0);
    await record([{ atMs: Date.now() + 5 }]);
    await eventually('the mark to go', async () => (await published())!.deployments[0]!.credentials[0]!.unavailableUntilMs === 0);
  });

  test('taken by different replicas at the same moment are all counted', async () => {
    const replicas = await Promise.all([replica(), replica(), replica()]);
    for (const { publisher } of replicas) await publisher.adopt(content(['m', 'n']));
    const atMs = Date.now();
    await Promise.all(replicas.map(({ record }, i) => record([
      { deployment: 'p/n', credential: null, status: 503, errorCode: 'upstream_error', atMs: atMs - 10 + i },
      { credential: i === 0 ? 'p/a' : 'p/b', status: 429, retryAfterMs: 60_000 },
    ])));
    const stored = await new HealthStore(redis).read();
    expect(stored.of.get('d:p/n')?.failures).toBe(3);
    await eventually('both marks in the published snapshot', async () => (await published())!.deployments[0]!.credentials.every((c) => c.unavailableUntilMs > Date.now()));
    await Promise.all(replicas.map(({ publisher }) => publisher.stop()));
    expect((await published())!.deployments.find((d) => d.id === 'p/n')!.unavailableUntilMs).toBe(0);
  });

  test('of things that the snapshot does not have are forgotten, and a warning names a credential that is rejected', async () => {
    const { publisher, record, lines } = await replica();
    await publisher.adopt(content(['m']));
    await record([{ deployment: 'p/other', status: 401 }, { credential: 'p/other', status: 401 }]);
    expect((await new HealthStore(redis).read()).of.size).toBe(0);
    await record([{ status: 401, errorCode: 'upstream_error' }]);
    expect(lines.filter((line) => line['level'] === 'warn')).toMatchObject([{ credential: 'p/a@v1', msg: expect.stringContaining('rejects this credential') }]);
  });

  test('recorded by a replica that died before publishing are published by another', async () => {
    const [one, two] = await Promise.all([replica(), replica()]);
    for (const { publisher } of [one, two]) await publisher.adopt(content(['m']));
    two.publisher.start();
    await one.pool.record([{ atMs: Date.now(), deployment: 'p/m', credential: 'p/a', status: 429, errorCode: null, retryAfterMs: 60_000, firstByteMs: null, durationMs: 1 }], one.publisher.content!);
    await eventually('publication by the other', async () => (await published())!.deployments[0]!.credentials[0]!.unavailableUntilMs > 0);
    expect(snapshotsPushed().at(-1)?.version).toBe(two.publisher.version);
  });

  test('that are long over are dropped', async () => {
    const { publisher, record } = await replica();
    await publisher.adopt(content(['m']));
    await record([{ status: 429 }]);
    const later = new Pool(new HealthStore(redis), recorder().logger, () => Date.now() + 3_600_000);
    expect(await later.forgetOld()).toBe(true);
    expect((await new HealthStore(redis).read()).of.size).toBe(0);
  });
});
