import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { Principal, PublicModel, RoutingSnapshot } from '@deja/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { ClientAddresses } from '../keys/client-address.ts';
import { KeyRing } from '../keys/key-ring.ts';
import { RoutingTable } from '../plan/routing-table.ts';
import { ModelsController } from './models.controller.ts';

const model = (name: string, more: Partial<PublicModel> = {}): PublicModel => ({ name, strategy: 'weighted', deployments: [{ id: `p/${name}`, weight: 1, priority: 1 }], fallbacks: [], ...more });
const MODELS = [model('small'), model('large'), model('auto', { deployments: [], candidates: ['small', 'large'] }), model('*')];
const SNAPSHOT = { version: 1, issuedAtMs: 5000, models: MODELS, deployments: [], settings: { stale_ok_s: 30 } } as unknown as RoutingSnapshot;

/** A gateway whose clients' key is for this. */
async function serving(key: Partial<Principal>): Promise<{ list: (remoteAddress?: string) => Promise<string[]>; one: (name: string) => Promise<string> }> {
  const subscriber = Object.assign(new EventEmitter(), { status: 'ready', subscribe: () => Promise.resolve(1) });
  const commands = { get: () => Promise.resolve(JSON.stringify(SNAPSHOT)) };
  const routing = new RoutingTable(subscriber as unknown as Redis, commands as unknown as Redis, { info: () => undefined, warn: () => undefined });
  routing.start();
  await new Promise((resolve) => setImmediate(resolve));
  const principal = { tenant: 'acme', revision: 1, key: 'k', models: null, endpoints: null, networks: null, tags: {}, expiresAtMs: null, ...key } as Principal;
  const controller = new ModelsController(new KeyRing({ resolve: async () => ({ status: 'active', principal }) }), routing, new ClientAddresses([]));
  const request = (remoteAddress: string): FastifyRequest => ({ raw: { headers: { authorization: 'Bearer k' }, socket: { remoteAddress } } }) as unknown as FastifyRequest;
  const reply = { header: () => reply } as unknown as FastifyReply;
  return {
    list: async (remoteAddress = '192.0.2.1') => (await controller.list(request(remoteAddress), reply)).data.map(({ id }) => id),
    one: async (name) => (await controller.one(request('192.0.2.1'), reply, name)).id,
  };
}

describe('the list of models', () => {
  test.each<[string[] | null, string[]]>([
    [null, ['small', 'large', 'auto']],
    [['small', 'auto'], ['small', 'auto']],
    [['elsewhere'], []],
    [[], []],
  ])('for a key that may use %j has %j', async (models, listed) => {
    expect(await (await serving({ models })).list()).toEqual(listed);
  });

  test('shows one model to whoever may use it, and for any other looks as if there were none', async () => {
    const { one } = await serving({ models: ['small', 'auto'] });
    for (const name of ['small', 'auto', 'auto:speed']) expect(await one(name)).toBe(name);
    for (const name of ['large', 'small:speed', 'nothing']) await expect(one(name)).rejects.toMatchObject({ code: 'model_not_found' });
  });

  test('is refused to a key that is not for it, or not for where it is used from', async () => {
    await expect((await serving({ endpoints: ['embeddings'] })).list()).rejects.toMatchObject({ code: 'endpoint_not_allowed' });
    const { list } = await serving({ endpoints: ['models'], networks: ['192.0.2.0/24'] });
    expect(await list()).toHaveLength(3);
    await expect(list('203.0.113.1')).rejects.toMatchObject({ code: 'network_not_allowed' });
  });
});
