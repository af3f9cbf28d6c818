import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CLIENT_KEY_PREFIX, keySha256, makeKey, newId, PUSH_CHANNEL, publicIdCheckKey } from '@deja/contracts';
import { openRedis } from '@deja/redis';
import { eventually } from '@deja/testing';
import { eq } from 'drizzle-orm';
import { followKeyChanges } from '../src/keys/follow-key-changes.ts';
import type { KeyDirectory } from '../src/keys/key-directory.ts';
import { SecretSweep } from '../src/keys/secret-sweep.ts';
import { PushChannel } from '../src/push-channel.ts';
import { clientKeys, clientKeySecrets, tenants } from '../src/schema/tables.ts';
import { bootstrap } from '../src/tenants/bootstrap.ts';
import { recorder } from './infrastructure.ts';
import { asked, KeyStage } from './key-stage.ts';

// A first start of Postgres, and databases that do not answer, take their time.
jest.setTimeout(60_000);

const { logger } = recorder();
let stage: KeyStage;
let directory: KeyDirectory;

beforeAll(async () => {
  stage = await KeyStage.start();
});
afterAll(async () => {
  await stage.stop();
});
beforeEach(() => {
  stage.path.set('open');
  stage.at.nowMs = Date.now();
  stage.queries = 0;
  directory = stage.directory();
});

const unknown = { status: 'unknown', principal: null };

describe('starting', () => {
  test('replicas that start together make one salt and one bootstrap key', async () => {
    const salts = await Promise.all([1, 2, 3].map(async () => (await bootstrap(stage.db, 'sk-deja-planted')).salt.toString('hex')));
    expect(new Set(salts).size).toBe(1);
    expect(salts[0]).toHaveLength(64);
    expect(await stage.db.select({ name: clientKeys.name }).from(clientKeys).where(eq(clientKeys.name, 'bootstrap'))).toHaveLength(1);
    expect(await directory.resolve(asked('sk-deja-planted'))).toMatchObject({ status: 'active', principal: { tenant: 'default' } });
  });

  test('a bootstrap key that was disabled stays disabled at the next start', async () => {
    await stage.plant('boot', { disabled: true });
    await bootstrap(stage.db, 'boot');
    expect(await directory.resolve(asked('boot'))).toEqual({ status: 'disabled', principal: null });
  });

  test('a bootstrap key that was deleted is not planted again at the next start', async () => {
    await bootstrap(stage.db, 'sk-once');
    await stage.db.delete(clientKeys).where(eq(clientKeys.name, 'bootstrap'));
    expect((await bootstrap(stage.db, 'sk-once')).newKeySha256).toBeNull();
    expect(await stage.db.select({ name: clientKeys.name }).from(clientKeys).where(eq(clientKeys.name, 'bootstrap'))).toEqual([]);
  });

  test('a bootstrap key is known at once to who was there before, and in a while to who did not hear of it', async () => {
    expect(await directory.resolve(asked('late'))).toEqual(unknown);
    await stage.plant('late');
    expect(await directory.resolve(asked('late'))).toEqual(unknown);
    directory.forget([keySha256('late')]); // as the push says
    expect(await directory.resolve(asked('late'))).toMatchObject({ status: 'active' });
    await stage.plant('later');
    stage.at.nowMs += 30_000;
    expect(await directory.resolve(asked('later'))).toMatchObject({ status: 'active' });
  });
});

describe('a client key', () => {
  test('stands for its tenant, with what holds for both; where both say something the key goes before', async () => {
    const budget = { usd: '5', period: 'day', mode: 'hard', time_zone: 'UTC' } as const;
    await stage.db.insert(tenants).values({
      id: 'acme', name: 'Acme', limits: { requests_per_minute: 60 }, validation: { max_messages: 5, max_input_tokens: 100 }, models: ['m', 'n'],
      budgets: [budget], cache: { scope: 'tenant', exact: { enabled: true, ttl_s: 5 }, semantic: { enabled: false } },
    });
    const { id, key } = await stage.make({
      tenant: 'acme', models: ['m', 'x'], endpoints: ['files'], networks: ['192.0.2.0/24'], tags: { team: 'a' }, limits: { tokens_per_minute: 5 },
      perUser: { concurrency: 1, budgets: [{ ...budget, usd: '1' }] }, cache: { scope: 'key', exact: { ttl_s: 9 } }, validation: { max_input_tokens: 50 }, expiresAt: new Date(stage.at.nowMs + 60_000),
    });
    expect(await directory.resolve(asked(key))).toEqual({
      status: 'active',
      principal: {
        tenant: 'acme', revision: expect.any(Number), key: id, models: ['m'], endpoints: ['files'], networks: ['192.0.2.0/24'], tags: { team: 'a' },
        limits: { tenant: { requests_per_minute: 60 }, key: { tokens_per_minute: 5 }, perUser: { concurrency: 1 } },
        budgets: { tenant: [budget], key: [], perUser: [{ ...budget, usd: '1' }] },
        cache: { scope: 'key', exact: { enabled: true, ttl_s: 9 }, semantic: { enabled: false } },
        validation: { max_messages: 5, max_input_tokens: 50 }, expiresAtMs: stage.at.nowMs + 60_000,
      },
    });
  });

  test.each([[null, null, undefined], ['metadata', null, 'metadata'], [null, 'none', 'none'], ['none', 'full', 'full']] as const)('of a tenant with capture %s and itself with %s has its requests captured: %s', async (ofTenant, ofKey, capture) => {
    const tenant = `capture-${ofTenant}-${ofKey}`;
    await stage.db.insert(tenants).values({ id: tenant, name: tenant, capture: ofTenant });
    const { principal } = await directory.resolve(asked((await stage.make({ tenant, capture: ofKey })).key));
    expect(principal?.capture).toBe(capture);
    expect('capture' in principal!).toBe(capture !== undefined);
  });

  test.each<[string[] | null, string[] | null, string[] | null]>([
    [null, null, null],
    [['a', 'b'], null, ['a', 'b']],
    [null, ['a', 'b'], ['a', 'b']],
    [['b', 'c'], ['a', 'b'], ['b']],
    [['c'], ['a'], []],
  ])('may use the models that it (%j) and its tenant (%j) both allow: %j', async (ofKey, ofTenant, both) => {
    const tenant = newId();
    await stage.db.insert(tenants).values({ id: tenant, name: tenant, models: ofTenant });
    const { key } = await stage.make({ tenant, models: ofKey });
    expect((await directory.resolve(asked(key))).principal?.models).toEqual(both);
  });

  test('is unknown, disabled, expired, or of a disabled tenant, and then stands for nobody', async () => {
    await stage.db.insert(tenants).values({ id: 'closed', name: 'Closed', disabled: true });
    const keys = await Promise.all([stage.make({ disabled: true }), stage.make({ expiresAt: new Date(stage.at.nowMs) }), stage.make({ tenant: 'closed' })]);
    const replies = await Promise.all([...keys.map(({ key }) => key), 'never'].map((key) => directory.resolve(asked(key))));
    expect(replies).toEqual(['disabled', 'expired', 'tenant_disabled', 'unknown'].map((status) => ({ status, principal: null })));
  });

  test('that has the form of one but was planted is known all the same', async () => {
    const { key } = makeKey(CLIENT_KEY_PREFIX, randomBytes, publicIdCheckKey(randomBytes(32), CLIENT_KEY_PREFIX));
    await stage.plant(key);
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'active' });
  });

  test('is good by a former secret until its grace is over, which the gateway is told beforehand', async () => {
    const { id, key } = await stage.make();
    const graceUntil = new Date(stage.at.nowMs + 5000);
    await stage.db.transaction((tx) => stage.keys.rotate(tx, id, { keySha256: keySha256('next'), publicId: null }, graceUntil));
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'active', principal: { key: id, expiresAtMs: graceUntil.getTime() } });
    expect(await directory.resolve(asked('next'))).toMatchObject({ status: 'active', principal: { key: id, expiresAtMs: null } });
    stage.at.nowMs += 5000;
    expect(await directory.resolve(asked(key))).toEqual(unknown);
    await new SecretSweep(stage.keys, logger, () => stage.at.nowMs).sweep();
    expect(await stage.db.select({ keySha256: clientKeySecrets.keySha256 }).from(clientKeySecrets).where(eq(clientKeySecrets.key, id))).toEqual([{ keySha256: keySha256('next') }]);
  });
});

describe('a flood costs no database query', () => {
  test('of made-up keys, whatever they look like: one look at the planted ones in half a minute is all', async () => {
    const foreign = publicIdCheckKey(randomBytes(32), CLIENT_KEY_PREFIX);
    const madeUp = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? makeKey(CLIENT_KEY_PREFIX, randomBytes, foreign).key : `sk-${i}`));
    const replies = await Promise.all(madeUp.map((key) => directory.resolve(asked(key))));
    expect(replies).toEqual(madeUp.map(() => unknown));
    expect(stage.queries).toBe(1);
    stage.at.nowMs += 29_000;
    for (const key of madeUp) await directory.resolve(asked(key));
    expect(stage.queries).toBe(1);
  });

  test('of revoked keys: each is looked up once', async () => {
    const revoked = await Promise.all(Array.from({ length: 5 }, () => stage.make()));
    for (const { id } of revoked) await stage.db.delete(clientKeys).where(eq(clientKeys.id, id));
    stage.queries = 0;
    for (let round = 0; round < 100; round++) {
      await Promise.all(revoked.map(({ key }) => directory.resolve(asked(key))));
      stage.at.nowMs += 1000;
    }
    expect(stage.queries).toBe(5);
  });

  test('of wrong secrets for a public id that exists: one look a second', async () => {
    const { key } = await stage.make();
    stage.queries = 0;
    const wrong = Array.from({ length: 500 }, (_, i) => key.slice(0, -4) + String(1000 + i));
    const replies = await Promise.all(wrong.map((guess) => directory.resolve(asked(guess))));
    for (const guess of wrong) replies.push(await directory.resolve(asked(guess)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set(['unknown']));
    expect(stage.queries).toBe(1);
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'active' });
  });
});

test('a change in another replica is followed, and all is forgotten where one may have been missed', async () => {
  await stage.db.insert(tenants).values({ id: 'followed', name: 'Followed' });
  const [one, two, three] = await Promise.all([stage.make(), stage.make({ tenant: 'followed' }), stage.make()]);
  const subscriber = openRedis(stage.redisServer.url, { role: 'subscriber', name: 'other', logger });
  followKeyChanges(subscriber, directory);
  await eventually('the subscription', async () => ((await stage.redis.pubsub('NUMSUB', PUSH_CHANNEL)) as unknown[])[1] === 1);
  for (const { key } of [one, two, three]) await directory.resolve(asked(key));
  const push = new PushChannel(stage.redis, logger);
  await push.send({ kind: 'key_changed', keySha256: [keySha256(one.key)] });
  await push.send({ kind: 'tenant_changed', tenant: 'followed' });
  stage.path.set('cut');
  // What it has forgotten it cannot tell without Postgres; what it has not, it can.
  const isForgotten = async (key: string): Promise<boolean> => (await directory.resolve(asked(key)).catch(() => null)) === null;
  await eventually('both to be forgotten', async () => (await isForgotten(one.key)) && (await isForgotten(two.key)));
  expect(await isForgotten(three.key)).toBe(false);
  await stage.redis.publish(PUSH_CHANNEL, 'no JSON');
  await eventually('all to be forgotten', () => isForgotten(three.key));
  subscriber.disconnect();
});

describe.each(['cut', 'hanging'] as const)('while Postgres is away (%s)', (mode) => {
  test('a known key is still known, for a while, and expires; any other is never called unknown', async () => {
    const { key } = await stage.make({ expiresAt: new Date(stage.at.nowMs + 300_000) });
    const { key: other } = await stage.make();
    await stage.plant(`planted ${mode}`);
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'active' });
    expect(await directory.resolve(asked(`planted ${mode}`))).toMatchObject({ status: 'active' });
    stage.path.set(mode);
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'active' });
    expect(await directory.resolve(asked(`planted ${mode}`))).toMatchObject({ status: 'active' });
    await expect(directory.resolve(asked(other))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    stage.at.nowMs += 300_000;
    expect(await directory.resolve(asked(key))).toMatchObject({ status: 'expired' });
    await expect(directory.resolve(asked('never seen'))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    stage.at.nowMs += 300_000;
    await expect(directory.resolve(asked(key))).rejects.toMatchObject({ code: 'overloaded' });
    stage.path.set('open');
    await eventually('Postgres to be asked again', async () => (await directory.resolve(asked('never seen')).catch(() => null))?.status === 'unknown');
  });
});
