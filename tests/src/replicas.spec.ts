import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import type { MemberName } from '@deja/launcher';
import { chat, eventually, post } from './client.ts';

let provider: FakeProvider;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }, { name: 'b', value: 'sk-upstream-b' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      timeouts: { first_byte_ms: 15_000, unary_ms: 15_000, idle_ms: 15_000 },
      limits: { global: { requests_per_minute: 100_000 } },
    },
    scale: { gateway: 2, router: 2, 'semantic-cache': 2, 'usage-worker': 2 },
    env: { DEJA_LEASE_S: '3' },
  });
}, 90_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

interface Sent {
  id: string | null;
  status: number;
  tookMs: number;
}

let questions = 0;

/** One request to one of the gateways; a refused connection or a broken reply counts as status 0. */
async function send(url: string, stream: boolean): Promise<Sent> {
  const from = performance.now();
  const done = (status: number, id: string | null): Sent => ({ id, status, tookMs: performance.now() - from });
  let id: string | null = null;
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` },
      body: JSON.stringify(chat(`Trickle question ${questions++} of this test, please.`, { stream })),
      signal: AbortSignal.timeout(20_000),
    });
    id = response.headers.get('x-request-id');
    await response.text();
    return done(response.status, id);
  } catch {
    return done(0, id);
  }
}

/** Keeps asking both gateways until `during` is over, and a little longer. */
async function trickle(during: () => Promise<void>): Promise<Sent[]> {
  const sent: Promise<Sent>[] = [];
  let over = false;
  const asking = (async () => {
    for (let i = 0; !over; i++) {
      sent.push(send(cluster.urls[i % 2]!, i % 3 === 0));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await during();
  over = true;
  await asking;
  return Promise.all(sent);
}

/** Rows of operations by id: none twice, none missing. */
async function ledgerHas(ids: string[]): Promise<void> {
  await eventually(
    'every accepted operation in the ledger',
    async () => (await cluster.sql<{ id: string }>('select id from usage.operations where id = any($1)', [ids])).length >= ids.length,
    30_000,
  );
  const counts = await cluster.sql<{ count: string }>('select count(*) from usage.operations where id = any($1) group by id having count(*) <> 1', [ids]);
  expect(counts).toEqual([]);
}

const accepted = (sent: Sent[]): string[] => sent.flatMap(({ id }) => (id === null ? [] : [id]));

describe('two replicas of everything', () => {
  test('share the work: every operation once in the ledger, the cache one for both gateways', async () => {
    const sent = await Promise.all(Array.from({ length: 200 }, (_, i) => send(cluster.urls[i % 2]!, i % 2 === 0)));
    expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
    await ledgerHas(accepted(sent));
    const question = chat('Ask one gateway, then the other one.');
    await post(cluster, question);
    await eventually('the other gateway’s hit', async () => {
      const other = await fetch(`${cluster.urls[1]}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(question) });
      return other.headers.get('x-cache') === 'HIT-EXACT';
    });
  });

  test.each<[MemberName]>([['router'], ['semantic-cache'], ['usage-worker']])('kill -9 of a %s under load fails no request, and every operation is in the ledger once', async (app) => {
    const sent = await trickle(async () => {
      await cluster.killAndWait(app, 1);
      await cluster.killAndWait(app, 2);
    });
    expect(sent.length).toBeGreaterThan(20);
    expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
    expect(sent.filter(({ tookMs }) => tookMs > 10_000)).toEqual([]);
    await ledgerHas(accepted(sent));
  }, 90_000);

  test('kill -9 of a gateway breaks only its own connections; its operations are in the ledger once, as what they were', async () => {
    const before = provider.requests.length;
    const sent = await trickle(() => cluster.killAndWait('gateway', 2));
    expect(sent.filter(({ tookMs }) => tookMs > 10_000)).toEqual([]);
    const asked = provider.requests.length - before;
    await ledgerHas(accepted(sent));
    // Every upstream call belongs to an operation that has a row, also of those whose gateway died before it could tell.
    const operations = await eventually('a row for each operation that reached the provider', async () => {
      const [row] = await cluster.sql<{ count: number }>("select count(*)::int as count from usage.operations where cache = 'MISS' or outcome = 'orphaned'");
      return row && row.count >= asked ? row.count : null;
    }, 30_000);
    expect(operations).toBeGreaterThanOrEqual(asked);
  }, 90_000);

  test('a gateway that is stopped answers what it has begun, then goes', async () => {
    const slow = fetch(`${cluster.urls[1]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` },
      body: JSON.stringify(chat('A slow stream, across a restart please.', { stream: true })),
    });
    provider.script({ deltas: Array.from({ length: 10 }, (_, i) => `word${i} `), chunkDelayMs: 100 });
    const response = await slow;
    const restarted = cluster.restart('gateway', 2);
    expect(await response.text()).toContain('[DONE]');
    await restarted;
    await ledgerHas([response.headers.get('x-request-id')!]);
  }, 60_000);
});
