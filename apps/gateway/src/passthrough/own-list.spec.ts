import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { listOwn } from './own-list.ts';

type Account = Parameters<typeof listOwn>[0]['accounts'][number];
const account = (n: number): Account => ({ provider: 'p', deployment: 'p/*', credential: `p/${n}` });

/** Accounts that hold everybody's objects, listed in pages as a provider does. */
function world(held: { id: string; mine: boolean }[][], pageSize = 1) {
  const page = async (of: Account, query: Record<string, string>) => {
    const all = held[Number(of.credential?.slice(2))] ?? [];
    const from = query['after'] === undefined ? 0 : all.findIndex(({ id }) => id === query['after']) + 1;
    const to = from + Number(query['limit']);
    return { data: all.slice(from, to).map(({ id }) => ({ id })), has_more: to < all.length };
  };
  const own = async (ids: string[]) => new Map(held.flat().filter(({ id, mine }) => mine && ids.includes(id)).map(({ id }) => [id, true]));
  const where = (id: string) => held.findIndex((objects) => objects.some((object) => object.id === id));
  const list = (query: Record<string, string>) => {
    const { after } = query;
    const object = after === undefined ? null : { tenant: 't', kind: 'file' as const, id: after, createdAtMs: 0, ...account(where(after)) };
    const accounts = held.flatMap((_, n) => [account(n), { ...account(n), deployment: 'p/other' }]);
    return listOwn({ accounts, after: object, query, page, own, pageSize });
  };
  return list;
}

describe('a tenant’s list out of accounts that others use too', () => {
  test('walking its pages gives exactly its own objects, once each, in order, and ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.boolean(), { maxLength: 12 }), { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), async (accounts, limit, pageSize) => {
        const held = accounts.map((objects, a) => objects.map((mine, i) => ({ id: `file-${a}-${i}`, mine })));
        const list = world(held, pageSize);
        const seen: string[] = [];
        let after: string | null = null;
        for (let pages = 0; pages < 60; pages++) {
          const found: Awaited<ReturnType<typeof list>> = await list({ limit: String(limit), ...(after !== null && { after }) });
          expect(found.data.length).toBeLessThanOrEqual(limit);
          seen.push(...found.data.map(({ id }) => id));
          if (!found.has_more || found.last_id === null) break;
          after = found.last_id;
        }
        expect(seen).toEqual(held.flat().filter(({ mine }) => mine).map(({ id }) => id));
      }),
    );
  });

  test.each(['0', '-1', '1.5', 'many', '10001'])('limit=%s is refused', async (limit) => {
    await expect(world([[]])({ limit })).rejects.toMatchObject({ code: 'invalid_value', param: 'limit' });
  });
});
