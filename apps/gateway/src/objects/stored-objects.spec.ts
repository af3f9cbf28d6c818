import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DejaError, MOST_OBJECT_IDS, storedObjectKey, type RouterEvents, type StoredObject } from '@deja/contracts';
import { RedisProcess } from '@deja/testing';
import { StoredObjects, type CallRouter, type NotifyRouter } from './stored-objects.ts';

let server: RedisProcess;
let router: FakeRouter;
let objects: StoredObjects;
let logged: string[];
let now: number;

/** The router as a gateway sees it: what it was told, and whether it answers. */
class FakeRouter {
  isAway = false;
  /** Takes events, and has not come to them yet. */
  isBehind = false;
  readonly events: unknown[] = [];
  readonly asked: string[][] = [];
  readonly known: StoredObject[] = [];
  accountsAsked = 0;

  readonly notify: NotifyRouter = async (pattern, event) => {
    if (this.isAway) throw new Error('away');
    this.events.push([pattern, event]);
    if (pattern === 'object_stored' && !this.isBehind) this.known.push(event as RouterEvents['object_stored']);
  };

  readonly call = (async (pattern: string, request: { tenant: string; ids?: string[]; kind?: string }) => {
    if (this.isAway) throw new Error('away');
    if (pattern === 'find_objects') {
      this.asked.push(request.ids ?? []);
      return { objects: this.known.filter((object) => object.tenant === request.tenant && request.ids?.includes(object.id)) };
    }
    this.accountsAsked++;
    return { accounts: this.known.filter((object) => object.tenant === request.tenant && object.kind === request.kind).map(({ provider, deployment, credential }) => ({ credential, deployment, provider })) };
  }) as CallRouter;
}

const object = (over: Partial<StoredObject> = {}): StoredObject => ({ tenant: 'acme', kind: 'file', id: 'file-1', provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/a', createdAtMs: 1, ...over });
const gateway = (): StoredObjects => new StoredObjects(server.client, router.notify, router.call, { warn: (_: object, message: string) => void logged.push(message) } as never, () => now);

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.client.flushall();
  router = new FakeRouter();
  logged = [];
  now = 1_000_000;
  objects = gateway();
});

describe('a stored object', () => {
  test('is known to every gateway at once, and to nobody but its tenant', async () => {
    await objects.remember(object());
    const other = gateway();
    expect(await other.find('acme', 'file-1')).toEqual(object());
    expect(router.asked).toEqual([]);
    expect(router.events).toEqual([['object_stored', object()]]);
    expect(await other.find('rival', 'file-1')).toBeNull();
    expect(await server.client.ttl(storedObjectKey('acme', 'file-1'))).toBeGreaterThan(86_000);
  });

  test('that Redis no longer has is asked for at the router, once', async () => {
    router.known.push(object());
    expect(await objects.find('acme', 'file-1')).toEqual(object());
    expect(await gateway().find('acme', 'file-1')).toEqual(object());
    expect(router.asked).toEqual([['file-1']]);
  });

  test('that nobody has is asked for once in a while, and found at once when it is made', async () => {
    expect(await objects.find('acme', 'file-1')).toBeNull();
    expect(await objects.find('acme', 'file-1')).toBeNull();
    expect(router.asked).toHaveLength(1);
    await gateway().remember(object());
    expect(await objects.find('acme', 'file-1')).toEqual(object());

    expect(await objects.find('acme', 'file-2')).toBeNull();
    router.known.push(object({ id: 'file-2' }));
    now += 3000;
    expect(await objects.find('acme', 'file-2')).toEqual(object({ id: 'file-2' }));
  });

  test('is gone for everyone when it was deleted', async () => {
    await objects.remember(object());
    await objects.forget('acme', 'file-1');
    router.known.length = 0;
    expect(await gateway().find('acme', 'file-1')).toBeNull();
    expect(router.events.at(-1)).toEqual(['object_deleted', { tenant: 'acme', id: 'file-1' }]);
  });

  test('is not believed to be a tenant’s only because it stands under its name', async () => {
    await server.client.set(storedObjectKey('rival', 'file-1'), JSON.stringify(object()));
    await server.client.set(storedObjectKey('rival', 'file-2'), 'no JSON');
    expect(await objects.find('rival', 'file-1')).toBeNull();
    expect(await objects.find('rival', 'file-2')).toBeNull();
  });
});

describe('parts of an answer', () => {
  const owner = { tenant: 'acme', provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/a', createdAtMs: 1 };

  test('are known to every gateway, to nobody but their tenant, for 30 days; the router hears nothing of them', async () => {
    await objects.remember(object({ kind: 'response', id: 'resp_1' }), [{ kind: 'item', id: 'rs_1' }]);
    await objects.rememberParts(owner, [{ kind: 'item', id: 'msg_1' }, { kind: 'audio', id: 'audio_1' }, { kind: 'item', id: 'no id' }]);
    const found = await gateway().findParts('acme', ['rs_1', 'msg_1', 'audio_1', 'no id', 'msg_2']);
    expect([...found.keys()]).toEqual(['rs_1', 'msg_1', 'audio_1']);
    expect(found.get('msg_1')).toEqual({ ...owner, kind: 'item', id: 'msg_1' });
    expect((await gateway().findParts('rival', ['rs_1', 'msg_1', 'audio_1'])).size).toBe(0);
    expect(await server.client.ttl(storedObjectKey('acme', 'msg_1'))).toBeGreaterThan(29 * 86_400);
    expect([router.events.length, router.asked]).toEqual([1, []]);
  });

  test('are neither found nor called unknown while Redis is away, and remembering them fails no request', async () => {
    const own = await RedisProcess.start();
    const lonely = new StoredObjects(own.client, router.notify, router.call, { warn: (_: object, message: string) => void logged.push(message) } as never);
    await own.kill();
    await lonely.rememberParts(owner, [{ kind: 'item', id: 'msg_1' }]);
    expect(logged).toHaveLength(1);
    await expect(lonely.findParts('acme', ['msg_1'])).rejects.toMatchObject({ code: 'overloaded' });
    expect((await lonely.findParts('acme', [])).size).toBe(0);
    await own.stop();
  });
});

describe('several ids', () => {
  test('are found together, whoever remembers them, each asked for once', async () => {
    await objects.remember(object({ id: 'a' }));
    router.known.push(object({ id: 'b' }));
    const found = await objects.findAll('acme', ['a', 'b', 'c', 'b', 'a']);
    expect([...found.keys()].sort()).toEqual(['a', 'b']);
    expect(router.asked).toEqual([['b', 'c']]);
  });

  test('are asked for in portions that the router takes', async () => {
    await objects.findAll('acme', Array.from({ length: MOST_OBJECT_IDS + 1 }, (_, i) => `id-${i}`));
    expect(router.asked.map((ids) => ids.length)).toEqual([MOST_OBJECT_IDS, 1]);
  });

  test.each(['', 'a b', 'ü', 'x'.repeat(257), 'a\nb'])('that cannot be ids are nobody’s, without a question: %j', async (id) => {
    expect(await objects.find('acme', id)).toBeNull();
    await objects.remember(object({ id }));
    await objects.forget('acme', id);
    expect([router.asked, router.events]).toEqual([[], []]);
  });
});

describe('the accounts of a tenant', () => {
  test('are those of the router and those that the router has not heard of yet, each once', async () => {
    router.known.push(object(), object({ id: 'old', credential: null }), object({ id: 'x', kind: 'batch', credential: 'openai/z' }), object({ tenant: 'rival', credential: 'openai/y' }));
    router.isBehind = true;
    await objects.remember(object({ id: 'new', credential: 'openai/b' }));
    await objects.remember(object({ id: 'again' }));
    const accounts = await objects.accounts('acme', 'file');
    expect(new Set(accounts.map(({ credential }) => credential))).toEqual(new Set(['openai/a', 'openai/b', null]));
    expect(accounts).toHaveLength(3);
    expect(await objects.accounts('nobody', 'file')).toEqual([]);
  });

  test('are never a part of them', async () => {
    await objects.remember(object());
    router.isAway = true;
    await expect(objects.accounts('acme', 'file')).rejects.toMatchObject({ code: 'overloaded' });
  });
});

describe('when something is away', () => {
  test('the router: what Redis knows is served, the rest is neither found nor called unknown', async () => {
    await objects.remember(object());
    router.isAway = true;
    expect(await objects.find('acme', 'file-1')).toEqual(object());
    await expect(objects.find('acme', 'file-2')).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    await expect(objects.find('acme', 'file-2')).rejects.toBeInstanceOf(DejaError);
    await objects.remember(object({ id: 'file-3' }));
    await objects.forget('acme', 'file-1');
    expect(logged).toHaveLength(2);
    router.isAway = false;
    expect(await objects.find('acme', 'file-2')).toBeNull();
  });

  test('Redis: the router is asked, and remembering fails no request', async () => {
    const own = await RedisProcess.start();
    const lonely = new StoredObjects(own.client, router.notify, router.call, { warn: (_: object, message: string) => void logged.push(message) } as never);
    await own.kill();
    await lonely.remember(object());
    expect(logged).toEqual(['a new object is not in Redis; until the router knows it, it is answered 404']);
    expect(await lonely.find('acme', 'file-1')).toEqual(object());
    expect(await lonely.accounts('acme', 'file')).toHaveLength(1);
    router.isAway = true;
    await expect(lonely.find('acme', 'file-1')).rejects.toMatchObject({ code: 'overloaded' });
    await own.stop();
  });
});
