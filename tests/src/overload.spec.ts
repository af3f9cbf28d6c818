import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { answer, fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Gate } from './bursts.ts';
import { AdminClient } from './admin-client.ts';
import { ask, chat, eventually, operationRow, post, sdk, type Raw } from './client.ts';
import { newKeyWithId } from './tenant-keys.ts';

/** What the gateway has at once; the flood is six times as much. */
const IN_FLIGHT = 8;
const FLOOD = 48;
const DEADLINE_MS = 60_000;

const gate = new Gate();
let provider: FakeProvider;
let cluster: TestCluster;
/** Each question is new: the cache would answer one that was asked before. */
let asked = 0;

beforeAll(async () => {
  provider = await fakeProvider();
  provider.otherwise(async ({ rawBody }) => {
    if (rawBody.toString().includes('Please wait')) await gate.pass();
    return answer('Done.');
  });
  // Only the bound on requests is met here: how late a loop is on a busy machine is nobody's to say.
  cluster = await testCluster({ provider, apps: ['gateway', 'router', 'usage-worker'], env: { DEJA_OVERLOAD: 'on', DEJA_OVERLOAD_IN_FLIGHT: String(IN_FLIGHT), DEJA_OVERLOAD_LATENESS_MS: '10000' } });
}, 60_000);
afterEach(() => gate.open());
afterAll(async () => {
  gate.open();
  await cluster?.stop();
  await provider?.close();
});

const waiting = (): Promise<Raw> => post(cluster, chat(`Please wait, ${++asked}.`));
const idOf = ({ headers }: Raw): string => headers.get('x-request-id') ?? '';

/** Holds so many requests at the provider. */
async function hold(count: number): Promise<Promise<Raw>[]> {
  gate.close();
  const before = provider.inFlight;
  const held = Array.from({ length: count }, () => waiting());
  await provider.waitFor(() => provider.inFlight === before + count, DEADLINE_MS);
  return held;
}

/** The end of an answer is heard by the gateway after its client has heard it. */
const whenIdle = (): Promise<unknown> => eventually('an idle gateway', async () => /^deja_gateway_overload_open(\{[^}]*\})? 0$/m.test(await (await fetch(`${cluster.opsUrl('gateway')}/metrics`)).text()), DEADLINE_MS);

test('of a flood, whoever is admitted is answered and in the ledger once, and whoever is refused is told when to come back and is in no ledger', async () => {
  const held = await hold(IN_FLIGHT);
  const refused = await Promise.all(Array.from({ length: FLOOD - IN_FLIGHT }, () => waiting()));
  for (const { status, headers, json } of refused) {
    expect([status, json.error?.code, json.error?.type, headers.get('x-should-retry')]).toEqual([503, 'overloaded', 'api_error', 'true']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(3);
    expect(Number(headers.get('retry-after-ms'))).toBeGreaterThanOrEqual(1000);
  }
  expect(new Set(refused.map(idOf)).size).toBe(FLOOD - IN_FLIGHT);
  const ops = cluster.opsUrl('gateway');
  expect([(await fetch(`${ops}/healthz`)).status, (await fetch(`${ops}/readyz`)).status]).toEqual([200, 200]);
  expect(await (await fetch(`${ops}/metrics`)).text()).toMatch(new RegExp(`^deja_gateway_overload_refused_total\\{(?=[^}]*reason="in_flight")(?=[^}]*priority="interactive")[^}]*\\} ${FLOOD - IN_FLIGHT}$`, 'm'));
  expect((await new AdminClient(cluster).call('GET', 'tenants')).status).toBe(200);

  gate.open();
  const admitted = await Promise.all(held);
  expect(admitted.map(({ status }) => status)).toEqual(Array(IN_FLIGHT).fill(200));
  for (const one of admitted) expect(await operationRow(cluster, idOf(one), DEADLINE_MS)).toMatchObject({ status: 200, outcome: 'ok' });
  // The ledger has what came after them too, so that what is not there now will not come.
  await whenIdle();
  const after = await post(cluster, chat('And one more.'));
  await operationRow(cluster, idOf(after), DEADLINE_MS);
  const rows = await cluster.sql<{ id: string }>('select id from usage.operations where id = any($1)', [[...admitted, ...refused].map(idOf)]);
  expect(rows.map(({ id }) => id).toSorted()).toEqual(admitted.map(idOf).toSorted());
}, 3 * DEADLINE_MS);

test('after a flood everybody is admitted again', async () => {
  await whenIdle();
  for (let i = 0; i < 3; i++) {
    const served = await Promise.all(Array.from({ length: IN_FLIGHT / 2 }, (_, n) => post(cluster, chat(`Calm ${i}, ${n}.`))));
    expect(served.map(({ status }) => status)).toEqual(Array(IN_FLIGHT / 2).fill(200));
    await whenIdle();
  }
}, 3 * DEADLINE_MS);

test('an SDK that was refused comes back by itself and is served', async () => {
  await whenIdle();
  const held = await hold(IN_FLIGHT);
  const client = sdk(cluster).withOptions({ maxRetries: 5 });
  const before = await refusals();
  const second = client.chat.completions.create({ model: 'gpt-4o-mini', messages: ask('Served the second time.') });
  await eventually('its refusal', async () => (await refusals()) > before, DEADLINE_MS);
  gate.open();
  expect((await second).choices[0]?.message.content).toBe('Done.');
  await Promise.all(held);
}, 3 * DEADLINE_MS);

test('batch is refused at half of the bound, by the request’s header or by its key, and interactive is not', async () => {
  await whenIdle();
  const { id, key } = await newKeyWithId(cluster, 'nightly', { priority: 'batch' });
  expect(await new AdminClient(cluster).done('GET', `keys/${id}`)).toMatchObject({ priority: 'batch' });
  const withKey = (headers: Record<string, string> = {}): Promise<Raw> => post({ url: cluster.url, key }, chat('Nightly.'), headers);
  expect((await withKey()).status).toBe(200);
  await whenIdle();
  const held = await hold(IN_FLIGHT / 2);
  const byHeader = await post(cluster, chat('Later.'), { 'x-deja-priority': 'batch' });
  const byKey = await withKey();
  const raised = await withKey({ 'x-deja-priority': 'interactive' });
  expect([byHeader, byKey, raised].map(({ status, json }) => [status, json.error?.code])).toEqual(Array(3).fill([503, 'overloaded']));
  expect((await post(cluster, chat('Now.'))).status).toBe(200);
  gate.open();
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(IN_FLIGHT / 2).fill(200));
}, 3 * DEADLINE_MS);

test('a priority that is none is refused by the header’s name, and in the ledger', async () => {
  await whenIdle();
  const refused = await post(cluster, chat('Urgent!'), { 'x-deja-priority': 'urgent' });
  expect([refused.status, refused.json.error?.code, refused.json.error?.param]).toEqual([400, 'invalid_value', 'x-deja-priority']);
  expect(await operationRow(cluster, idOf(refused), DEADLINE_MS)).toMatchObject({ status: 400, error_code: 'invalid_value' });
}, 2 * DEADLINE_MS);

async function refusals(): Promise<number> {
  const text = await (await fetch(`${cluster.opsUrl('gateway')}/metrics`)).text();
  return [...text.matchAll(/^deja_gateway_overload_refused_total\{[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}
