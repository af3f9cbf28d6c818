import { describe, expect, test } from '@jest/globals';
import { newId, type AdminActor, type CapturedExchange, type UsageRpc } from '@deja/contracts';
import { RpcTimeout } from '@deja/transport';
import { CapturedBodies } from '../src/admin/captured-bodies.ts';
import { AppCalls } from '../src/admin/app-calls.ts';
import { cutText } from '../src/capture/captured-text.ts';
import { DataKeys } from '../src/capture/data-keys.ts';
import { sealBody } from '../src/capture/seal.ts';
import { ScriptedDataKeys } from './sealed-data-keys.ts';

type By = Pick<AdminActor, 'role' | 'tenant'>;
const OPERATOR: By = { role: 'operator', tenant: null };
const REQUEST = '{"messages":[{"role":"user","content":"Hello?"}]}';

/** One captured operation of tenant `acme`, as a usage-worker has it. */
async function world(change: (exchange: CapturedExchange) => CapturedExchange = (exchange) => exchange): Promise<{ bodies: CapturedBodies; id: string; router: ScriptedDataKeys; asked: UsageRpc['captured']['request'][]; logged: string[] }> {
  const router = new ScriptedDataKeys();
  const ask: typeof router.ask = async (request) => {
    if (router.isAway) throw new RpcTimeout('data_key', 1);
    return router.ask(request);
  };
  const keys = new DataKeys(ask, { warn: () => undefined });
  await keys.fetch('acme');
  const { id: dataKey, key } = keys.current('acme')!;
  const id = newId();
  const sealed = (text: string, part: 'request' | 'response', cut = false) => sealBody(cutText(text, cut), key, { tenant: 'acme', operation: id, part });
  const exchange = change({ operation: id, tenant: 'acme', mode: 'full', dataKey, request: await sealed(REQUEST, 'request'), response: await sealed('{"object":"chat.comple', 'response', true), searchText: null });
  const asked: UsageRpc['captured']['request'][] = [];
  const logged: string[] = [];
  const usage = new AppCalls<UsageRpc>(async (_, request) => {
    const question = request as UsageRpc['captured']['request'];
    asked.push(question);
    return { captured: question.operation === id && (question.tenant === null || question.tenant === exchange.tenant) ? exchange : null } as never;
  }, 'usage-worker');
  return { bodies: new CapturedBodies(usage, keys, { error: (...about: unknown[]) => void logged.push(String(about[1])) }), id, router, asked, logged };
}

describe('captured bodies', () => {
  test('are opened for operators and owners: as JSON, or as far as the text goes', async () => {
    const { bodies, id } = await world();
    const expected = { mode: 'full', request: JSON.parse(REQUEST) as unknown, response: '{"object":"chat.comple', truncated: true, shredded: false };
    expect(await bodies.of(id, OPERATOR)).toEqual(expected);
    expect(await bodies.of(id, { role: 'owner', tenant: 'acme' })).toEqual(expected);
    expect(await bodies.of(newId(), OPERATOR)).toBeNull();
  });

  test('are not shown to viewers, who may see figures only, nor asked for on their behalf', async () => {
    const { bodies, id, asked } = await world();
    expect(await bodies.of(id, { role: 'viewer', tenant: null })).toBeNull();
    expect(asked).toEqual([]);
  });

  test('of another tenant are none', async () => {
    const { bodies, id, asked } = await world();
    expect(await bodies.of(id, { role: 'owner', tenant: 'other' })).toBeNull();
    expect(asked).toEqual([{ operation: id, tenant: 'other' }]);
  });

  test('whose key was destroyed say so, and nothing else', async () => {
    const { bodies, id, router } = await world();
    router.shred('acme');
    expect(await bodies.of(id, OPERATOR)).toEqual({ mode: 'full', request: null, response: null, truncated: true, shredded: true });
  });

  test('that were changed, or are another operation’s, are not shown, and the log tells of it', async () => {
    const swapped = await world((exchange) => ({ ...exchange, request: exchange.response, response: { ...exchange.request!, sealed: exchange.request!.sealed.replace(/^.{60}/, 'A'.repeat(60)) } }));
    expect(await swapped.bodies.of(swapped.id, OPERATOR)).toMatchObject({ request: null, response: null, shredded: false });
    expect(swapped.logged).toHaveLength(2);
  });

  test('that cannot be had at the moment are an error that may be tried again, and not taken for none', async () => {
    const { bodies, id, router } = await world();
    router.isAway = true;
    await expect(bodies.of(id, OPERATOR)).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
  });
});
