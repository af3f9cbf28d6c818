import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { newId, tenantRevisionKey, type JsonWebKeyPublic } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { Redis } from 'ioredis';
import { compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose';
import { AdminStage, ROOT, scoped } from './admin-stage.ts';

jest.setTimeout(60_000);

let stage: AdminStage;
let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let publicKey: JsonWebKeyPublic;
/** All that went to Redis. */
const sent: string[] = [];
let unfollow: () => void;
/** Two replicas of the router take the calls in turn. */
beforeAll(async () => {
  stage = await AdminStage.open(2);
  pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  publicKey = (await exportJWK(pair.publicKey)) as JsonWebKeyPublic;
  const watching = new Redis(stage.redisServer.url);
  const monitor = await watching.monitor();
  monitor.on('monitor', (_: string, parts: string[]) => void sent.push(parts.join(' ')));
  unfollow = () => {
    monitor.disconnect();
    watching.disconnect();
  };
});
afterAll(async () => {
  unfollow();
  await stage.close();
});
afterEach(() => {
  stage.pushed.length = 0;
});

/** A key as a gateway gets it. */
async function leased(tenant: string, id: string | null = null): Promise<{ id: string; key: Buffer; kid: string | undefined }> {
  const lease = await stage.rpc('data_key', { tenant, id, publicKey });
  const key = Buffer.from((await compactDecrypt(lease.jwe, pair.privateKey)).plaintext);
  return { id: lease.id, key, kid: decodeProtectedHeader(lease.jwe).kid };
}

const shred = (tenant: string, given = {}): Promise<{ body: object }> => stage.call('shredBodies', { params: { id: tenant }, ...given });
const rows = async (tenant: string): Promise<number> => Number((await stage.sql.query<{ n: string }>('select count(*) as n from router.data_keys where tenant = $1', [tenant])).rows[0]!.n);
const revision = async (tenant: string): Promise<number> => Number(await stage.redis.get(tenantRevisionKey(tenant)));

describe('a data key', () => {
  test('that is gone is told from one that is there, and from what never was one', async () => {
    await stage.tenant('gone');
    const { id } = await leased('gone');
    const ids = [id, newId(), 'no id at all'];
    expect(await stage.rpc('data_keys_gone', { ids })).toEqual({ gone: ids.slice(1) });
    await shred('gone');
    expect(await stage.rpc('data_keys_gone', { ids })).toEqual({ gone: ids });
  });

  test('is made once for a tenant, however many gateways ask at once, and is another for each tenant', async () => {
    await stage.tenant('one');
    await stage.tenant('two');
    const keys = await Promise.all(Array.from({ length: 8 }, () => leased('one')));
    expect(new Set(keys.map(({ id, key }) => `${id} ${key.toString('hex')}`)).size).toBe(1);
    expect(keys[0]).toMatchObject({ kid: keys[0]!.id });
    expect(keys[0]!.key).toHaveLength(32);
    expect(await rows('one')).toBe(1);
    expect((await leased('two')).key.equals(keys[0]!.key)).toBe(false);
    expect(await leased('one', keys[0]!.id)).toEqual(keys[0]);
  });

  test('is found by whom it is for alone', async () => {
    const { id } = await leased('one');
    for (const [tenant, wanted] of [['two', id], ['one', newId()], ['nobody', null], ['nobody', id]] as const) await expect(leased(tenant, wanted)).rejects.toMatchObject({ code: 'not_found' });
    await expect(stage.rpc('data_key', { tenant: 'one', id: 'no id', publicKey })).rejects.toMatchObject({ code: 'invalid_value', param: 'id' });
    await expect(stage.rpc('data_key', { tenant: 'one', id: null, publicKey: { ...publicKey, crv: 'secp256k1' } })).rejects.toMatchObject({ code: 'invalid_value' });
  });

  test('gives way to a new one after thirty days, and is still there for what it sealed', async () => {
    await stage.tenant('old');
    const first = await leased('old');
    await stage.sql.query('update router.data_keys set created_at = created_at - interval \'31 days\' where tenant = \'old\'');
    const second = await leased('old');
    expect(second.id).not.toBe(first.id);
    expect(await leased('old')).toEqual(second);
    expect(await leased('old', first.id)).toEqual(first);
  });

  test('opens in its own row alone', async () => {
    await stage.tenant('moved');
    await stage.tenant('robbed');
    const { id } = await leased('robbed');
    await stage.sql.query('update router.data_keys set tenant = \'moved\' where tenant = \'robbed\'');
    await expect(leased('moved', id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is nowhere in clear: not in Postgres, not in Redis, not in a log', async () => {
    await stage.tenant('secret');
    const { key } = await leased('secret');
    await shred('secret');
    await leased('secret');
    await eventually('the calls to be seen', () => sent.some((line) => line.includes('data_key')));
    const everywhere = [await stage.dump(), JSON.stringify(stage.lines), ...sent].join('\n');
    const forms = [key.toString('hex'), ...[0, 1, 2].flatMap((before) => (['base64', 'base64url'] as const).map((form) => Buffer.concat([Buffer.alloc(before), key]).toString(form).slice(Math.ceil((before * 4) / 3), -4)))];
    for (const form of forms) expect(everywhere).not.toContain(form);
  });
});

describe('shredding', () => {
  test('destroys every key of the tenant and no other, is told to gateways, and what comes has a new key', async () => {
    await stage.tenant('shredded');
    const before = await leased('shredded');
    const other = await leased('one');
    const known = await revision('shredded');
    stage.pushed.length = 0;
    expect((await shred('shredded')).body).toEqual({ object: 'shredded', id: 'shredded', keys: 1 });
    await expect(leased('shredded', before.id)).rejects.toMatchObject({ code: 'not_found' });
    expect(await revision('shredded')).toBeGreaterThan(known);
    await eventually('the push', () => stage.pushed.some((push) => push.kind === 'tenant_changed' && push.tenant === 'shredded'));
    expect(await stage.audited('shredded')).toMatchObject([{ action: 'shredBodies', tenant: 'shredded', before: null, after: { object: 'shredded', keys: 1 } }, { action: 'createTenant' }]);
    const after = await leased('shredded');
    expect([after.id === before.id, after.key.equals(before.key)]).toEqual([false, false]);
    expect(await leased('one', other.id)).toEqual(other);
  });

  test('and making a key at the same moment end with no key that was there before', async () => {
    await stage.tenant('racing');
    const before = await leased('racing');
    await Promise.all([shred('racing'), ...Array.from({ length: 6 }, () => leased('racing'))]);
    await expect(leased('racing', before.id)).rejects.toMatchObject({ code: 'not_found' });
    await leased('racing');
    expect(await rows('racing')).toBe(1);
  });

  test('under an idempotency key is done once: a repetition leaves the new key alone', async () => {
    await stage.tenant('repeated');
    await leased('repeated');
    expect((await shred('repeated', { key: 'a-key-of-one-shredding' })).body).toMatchObject({ keys: 1 });
    const after = await leased('repeated');
    expect(await shred('repeated', { key: 'a-key-of-one-shredding' })).toMatchObject({ body: { keys: 1 }, replayed: true });
    expect(await leased('repeated')).toEqual(after);
  });

  test('is for owners, of everything or of that tenant', async () => {
    await stage.tenant('owned');
    await leased('owned');
    await expect(shred('owned', { by: { ...ROOT, role: 'operator' } })).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(shred('owned', { by: scoped('one') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(shred('nowhere')).rejects.toMatchObject({ code: 'not_found' });
    await expect(shred('owned', { ifMatch: '"99"' })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await rows('owned')).toBe(1);
    expect((await shred('owned', { by: scoped('owned') })).body).toMatchObject({ keys: 1 });
  });

  test('comes with the deletion of the tenant', async () => {
    await stage.tenant('ending');
    const { id } = await leased('ending');
    await stage.call('deleteTenant', { params: { id: 'ending' } });
    expect(await rows('ending')).toBe(0);
    for (const wanted of [null, id]) await expect(leased('ending', wanted)).rejects.toMatchObject({ code: 'not_found' });
  });
});
