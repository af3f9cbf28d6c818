import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess, testDatabase, type TestDatabase } from '@deja/testing';
import { AdminCluster, GATEWAYS, IN_FORCE_MS, MODEL, outcomeOf } from './admin-cluster.ts';
import { eventually } from './client.ts';
import { PostgresTap } from './postgres-tap.ts';
import { RedisPath } from './redis-path.ts';

let redis: RedisProcess;
let path: RedisPath;
let database: TestDatabase;
let tap: PostgresTap;
let stage: AdminCluster;

beforeAll(async () => {
  [redis, database] = await Promise.all([RedisProcess.start(), testDatabase()]);
  [path, tap] = await Promise.all([RedisPath.to(redis.url), PostgresTap.to(database.url)]);
  stage = await AdminCluster.start({ redisUrl: path.url, databaseUrl: tap.url });
}, 60_000);
afterAll(async () => {
  await stage?.stop();
  await tap?.close();
  await path?.close();
  await Promise.all([database?.drop(), redis?.stop()]);
});

let tenants = 0;
const newKey = async (): Promise<{ tenant: string; id: string; key: string }> => {
  const tenant = await stage.tenant(`tenant-${++tenants}`);
  return { tenant, ...(await stage.key(tenant)) };
};
const expectEverywhere = (key: string, outcome: string): Promise<void> => stage.holdsEverywhere(key, outcome);

describe('a revocation', () => {
  /** Ways to end a key, and what is said of it then. */
  const WAYS: [what: string, revoke: (of: { tenant: string; id: string }) => Promise<unknown>, outcome: string][] = [
    ['deleting it', ({ id }) => stage.admin.done('DELETE', `keys/${id}`), 'invalid_api_key'],
    ['disabling it', ({ id }) => stage.admin.done('PATCH', `keys/${id}`, { disabled: true }), 'key_disabled'],
    ['a rotation without grace', ({ id }) => stage.admin.done('POST', `keys/${id}/rotate`, { grace_s: 0 }), 'invalid_api_key'],
    ['disabling its tenant', ({ tenant }) => stage.admin.done('PATCH', `tenants/${tenant}`, { disabled: true }), 'tenant_disabled'],
    ['deleting its tenant', ({ tenant }) => stage.admin.done('DELETE', `tenants/${tenant}`), 'invalid_api_key'],
  ];
  const knownKey = async (): Promise<{ tenant: string; id: string; key: string }> => {
    const made = await newKey();
    await expectEverywhere(made.key, 'answered');
    return made;
  };

  describe('while no push arrives and nobody notices', () => {
    const mended = async (): Promise<void> => {
      const before = path.subscriptions;
      path.mend();
      await eventually('the subscriptions again', () => path.subscriptions === before);
    };
    afterEach(mended);

    test.each(WAYS)('by %s holds within a second at every gateway', async (_what, revoke, outcome) => {
      const known = await knownKey();
      path.deafen();
      await revoke(known);
      await expectEverywhere(known.key, outcome);
    });

    test.each<[string, (key: string, gateway: number) => Promise<unknown>]>([
      ['models', (key, gateway) => stage.sdk(key, gateway).models.list()],
      ['one model', (key, gateway) => stage.sdk(key, gateway).models.retrieve(MODEL)],
      ['files', (key, gateway) => stage.sdk(key, gateway).files.list()],
      ['an upload', (key, gateway) => stage.sdk(key, gateway).files.create({ file: new File(['{}'], 'lines.jsonl'), purpose: 'batch' })],
      ['embeddings', (key, gateway) => stage.sdk(key, gateway).embeddings.create({ model: MODEL, input: `text ${Math.random()}` })],
    ])('holds within a second for %s, too', async (_what, call) => {
      const known = await knownKey();
      for (const gateway of GATEWAYS) expect(await outcomeOf(call(known.key, gateway))).toBe('answered');
      path.deafen();
      await stage.admin.done('DELETE', `keys/${known.id}`);
      for (const gateway of GATEWAYS) await eventually('it refused', async () => (await outcomeOf(call(known.key, gateway))) === 'invalid_api_key', IN_FORCE_MS);
    });
  });

  test.each(WAYS)('by %s holds within a second while subscriptions are cut again and again', async (_what, revoke, outcome) => {
    const known = await knownKey();
    let isOver = false;
    const cutting = (async () => {
      while (!isOver) {
        path.cut();
        await new Promise((resolve) => setTimeout(resolve, 20)); // they come back in between
      }
    })();
    try {
      await revoke(known);
      await expectEverywhere(known.key, outcome);
    } finally {
      isOver = true;
      await cutting;
    }
  });

  test('holds at a gateway that stood still meanwhile', async () => {
    const known = await knownKey();
    stage.cluster.kill('gateway', 2, 'SIGSTOP');
    await stage.admin.done('DELETE', `keys/${known.id}`);
    stage.cluster.kill('gateway', 2, 'SIGCONT');
    await expectEverywhere(known.key, 'invalid_api_key');
  });
});

describe('a flood', () => {
  const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const made = (length: number): string => Array.from(randomBytes(length), (byte) => BASE62[byte % 62]).join('');
  const FLOOD = 150;
  const ABOUT_KEYS = /client_key|retired_imports/;
  /** Of all keys at once, from time to time: nobody's request asks so. */
  const BY_THE_CLOCK = /alerts_revision|"budgets" <> '\[\]'/;

  /** Statements about keys that the flood cost. */
  async function statementsDuring(key: (i: number) => string): Promise<string[]> {
    const before = tap.statements.length;
    const outcomes = await Promise.all(Array.from({ length: FLOOD }, (_, i) => outcomeOf(stage.sdk(key(i), i % GATEWAYS.length).models.list())));
    expect(new Set(outcomes)).toEqual(new Set(['invalid_api_key']));
    return tap.statements.slice(before).filter((sql) => ABOUT_KEYS.test(sql) && !BY_THE_CLOCK.test(sql));
  }

  /** Whoever was asked about this key knows that it is none: each router by each gateway. */
  const asked = async (key: () => string): Promise<void> => {
    for (let i = 0; i < 20; i++) for (const gateway of GATEWAYS) expect(await outcomeOf(stage.sdk(key(), gateway).models.list())).toBe('invalid_api_key');
  };

  test.each<[string, () => string]>([
    ['of no form', () => `sk-${made(40)}`],
    ['of the form of ours, with a public id that nobody gave', () => `sk-deja-${made(16)}-${made(32)}`],
  ])('of made-up keys %s asks the database nothing, but once in a while which keys were made elsewhere', async (_what, key) => {
    await asked(() => `sk-${made(40)}`);
    expect((await statementsDuring(key)).length).toBeLessThanOrEqual(2 * GATEWAYS.length);
  });

  test('of a revoked key asks the database nothing once its end is known, under whatever secret', async () => {
    const { id, key } = await newKey();
    await expectEverywhere(key, 'answered');
    await stage.admin.done('DELETE', `keys/${id}`);
    await expectEverywhere(key, 'invalid_api_key');
    await asked(() => key.slice(0, -32) + made(32));
    expect(await statementsDuring(() => key)).toEqual([]);
    expect(await statementsDuring(() => key.slice(0, -32) + made(32))).toEqual([]);
  });

  test('of wrong secrets for a key that is good asks the database about it a few times, whatever its size, and the key goes on working', async () => {
    const { key } = await newKey();
    await expectEverywhere(key, 'answered');
    expect(tap.statements.filter((sql) => ABOUT_KEYS.test(sql))).not.toEqual([]); // they are seen
    const statements = await statementsDuring(() => key.slice(0, -32) + made(32));
    expect(statements.length).toBeLessThan(FLOOD / 5);
    await expectEverywhere(key, 'answered');
  });
});
