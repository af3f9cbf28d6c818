import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, chunks, fakeProvider, testCluster, type FakeProvider, type ProviderRequest, type Step, type TestCluster } from '@deja/testing';
import { Agent, fetch as fetchVia } from 'undici';
import { AdminClient } from './admin-client.ts';
import { burst, Gate, statuses, undisturbed } from './bursts.ts';
import { chat, eventually } from './client.ts';

const WORKERS = [1, 2, 3];
const LIMIT = 100;
/** So soon a change holds everywhere. */
const IN_FORCE_MS = 1000;

interface State {
  ready: boolean;
  checks: Record<string, boolean>;
  degraded?: string[];
  workers: { worker: number; pid: number | null; ready: boolean; checks: Record<string, boolean> }[];
}

/** A streamed answer that stands still after its first piece. */
interface HeldStream {
  id: string;
  /** All of it; rejects when it breaks off. */
  text: Promise<string>;
}

let gate = new Gate();
let provider: FakeProvider;
let cluster: TestCluster;
let admin: AdminClient;
let questions = 0;

const answering = ({ rawBody }: ProviderRequest): Step => {
  if (!rawBody.includes('Hold')) return answer('Done.');
  const { gate: own } = { gate };
  return chunks(['First ', 'and ', 'last.'], { gate: (chunk) => (chunk === 1 ? own.pass() : undefined) });
};

beforeAll(async () => {
  provider = await fakeProvider({ otherwise: answering });
  cluster = await testCluster({ provider, apps: ['gateway', 'router', 'usage-worker'], env: { DEJA_GATEWAY_WORKERS: String(WORKERS.length), DEJA_ADMIN_PORT: '0', DEJA_LEASE_S: '3' } });
  admin = new AdminClient({ urls: [cluster.cluster.adminUrl ?? ''], adminKey: cluster.adminKey });
}, 120_000);
afterAll(async () => {
  gate.open();
  await cluster?.stop();
  await provider?.close();
});
afterEach(async () => {
  gate.open();
  gate = new Gate();
  await cluster.waitReady();
  await eventually('all workers', async () => (await state()).workers.every(({ ready }) => ready));
});

/** What the ops port says of readiness. */
async function state(): Promise<State> {
  return (await (await fetch(`${cluster.opsUrl('gateway')}/readyz`)).json()) as State;
}
const pids = async (): Promise<number[]> => (await state()).workers.map(({ pid }) => pid ?? 0);

/** One question by a connection of its own: its reply, unread. */
async function asked(body: object, key = cluster.key): Promise<Awaited<ReturnType<typeof fetchVia>>> {
  const dispatcher = new Agent({ pipelining: 0, connections: 1 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-cache-mode': 'off' };
  const reply = await fetchVia(`${cluster.url}/v1/chat/completions`, { method: 'POST', dispatcher, headers, body: JSON.stringify(body) });
  void dispatcher.close();
  return reply;
}

async function statusOf(key?: string): Promise<number> {
  const reply = await asked(chat(`Question ${++questions}`), key);
  await reply.text();
  return reply.status;
}

/** One after the other, each by a connection of its own, so that each worker gets as many as the others. */
async function inTurn<T>(count: number, act: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0; i < count; i++) all.push(await act());
  return all;
}

async function heldStream(): Promise<HeldStream> {
  const reply = await asked(chat(`Hold this, ${++questions}.`, { stream: true }));
  const text = reply.text();
  text.catch(() => undefined); // looked at later
  return { id: reply.headers.get('x-request-id') ?? '', text };
}

/** Samples of a metric, by worker. */
async function byWorker(name: string, accept = 'text/plain'): Promise<Map<string, number>> {
  const text = await (await fetch(`${cluster.opsUrl('gateway')}/metrics`, { headers: { accept } })).text();
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, worker] = line.startsWith(`${name}{`) ? (/worker="([^"]*)"/.exec(line) ?? []) : [];
    if (worker !== undefined) sums.set(worker, (sums.get(worker) ?? 0) + Number(line.split(' # ')[0]?.split(' ').at(-1)));
  }
  return sums;
}

/** Outcomes by id, in this order: each is in the ledger once. */
async function outcomes(ids: readonly string[]): Promise<string[]> {
  const rows = (): Promise<{ id: string; outcome: string }[]> => cluster.sql('select id, outcome from usage.operations where id = any($1)', [ids]);
  const found = await eventually('every operation in the ledger', async () => {
    const all = await rows();
    return all.length >= ids.length && all;
  }, 30_000);
  expect(found.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  return ids.map((id) => found.find((row) => row.id === id)?.outcome ?? 'none');
}

/** How many of so many connections, one after the other, each worker got. */
async function givenIn(count: number): Promise<number[]> {
  const before = await byWorker('deja_gateway_worker_connections_total');
  expect(await inTurn(count, () => statusOf())).toEqual(Array.from({ length: count }, () => 200));
  const after = await byWorker('deja_gateway_worker_connections_total');
  return WORKERS.map((worker) => (after.get(String(worker)) ?? 0) - (before.get(String(worker)) ?? 0));
}

describe('a gateway of three workers', () => {
  test('is one port and one ops port, and gives each worker as many connections', async () => {
    await eventually('all workers', async () => (await state()).workers.every(({ ready }) => ready));
    expect(await state()).toMatchObject({ ready: true, checks: { started: true, accepting: true }, workers: WORKERS.map((worker) => ({ worker, checks: { redis: true, routing: true, accepting: true } })) });
    expect(new Set([cluster.pid('gateway'), ...(await pids())]).size).toBe(WORKERS.length + 1);
    let more = await givenIn(12);
    for (let i = 1; i < 3 && new Set(more).size > 1; i++) more = await givenIn(12); // one that stood still for a second gets fewer
    expect(more).toEqual([4, 4, 4]);
  });

  test('admits 100 of 300 requests at once under a limit of 100', () => undisturbed(cluster, async () => {
    const { key } = await admin.done('POST', 'keys', { tenant: 'default', name: 'limited', limits: { requests_per_minute: LIMIT } });
    const sent = await burst(cluster, 300, { key: String(key) });
    expect(statuses(sent)).toEqual({ 200: LIMIT, 429: 300 - LIMIT });
    expect([...(await byWorker('deja_gateway_request_duration_count')).keys()].toSorted()).toEqual(['1', '2', '3']);
  }), 60_000);

  test('refuses a key at every worker within a second of its end', async () => {
    const { id, key } = await admin.done('POST', 'keys', { tenant: 'default', name: 'to be ended' });
    expect(await inTurn(3, () => statusOf(String(key)))).toEqual([200, 200, 200]);
    await admin.done('DELETE', `keys/${String(id)}`);
    await eventually('all three to refuse it', async () => (await inTurn(3, () => statusOf(String(key)))).every((status) => status === 401), IN_FORCE_MS);
  });

  test.each(['text/plain', 'application/openmetrics-text;version=1.0.0'])('tells the metrics of each worker and of its primary process, each metric described once, as %s', async (accept) => {
    const text = await (await fetch(`${cluster.opsUrl('gateway')}/metrics`, { headers: { accept } })).text();
    const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(new Set(types).size).toBe(types.length);
    expect(text.endsWith('# EOF\n')).toBe(accept !== 'text/plain');
    for (const name of ['process_memory_usage', 'process_cpu_time_total']) expect([...(await byWorker(name, accept)).keys()].toSorted()).toEqual(['1', '2', '3', 'primary']);
    expect(await byWorker('deja_gateway_worker_up', accept)).toEqual(new Map(WORKERS.map((worker) => [String(worker), 1])));
  });

  test('kill -9 of one worker breaks what that one had, and nothing else; it is back by itself, and the ledger has each operation once', async () => {
    const streams = await inTurn(3, heldStream);
    const before = await pids();
    process.kill(before[1]!, 'SIGKILL');
    const during = inTurn(30, () => statusOf());
    await eventually('worker 2 again', async () => (await state()).workers[1]?.ready && (await pids())[1] !== before[1]);
    expect(await during).toEqual(Array.from({ length: 30 }, () => 200));
    expect((await pids()).map((pid, i) => pid === before[i])).toEqual([true, false, true]);
    gate.open();
    const ended = await Promise.allSettled(streams.map(({ text }) => text));
    expect(ended.filter((one) => one.status === 'fulfilled' && one.value.includes('[DONE]'))).toHaveLength(2);
    expect((await outcomes(streams.map(({ id }) => id))).toSorted()).toEqual(['ok', 'ok', 'orphaned']);
    expect((await byWorker('deja_gateway_worker_restarts_total')).get('2')).toBe(1);
  }, 60_000);

  test('goes on without a worker that is stuck, says which one it is, and gives to another the one connection that it had given it', async () => {
    const [, , third] = await pids();
    provider.reset();
    process.kill(third!, 'SIGSTOP');
    try {
      expect(await Promise.all(Array.from({ length: 9 }, () => statusOf()))).toEqual(Array.from({ length: 9 }, () => 200));
      expect(await state()).toMatchObject({ ready: true, degraded: ['worker 3'], workers: [{ ready: true }, { ready: true }, { worker: 3, ready: false, checks: { answering: false } }] });
      const health = await fetch(`${cluster.opsUrl('gateway')}/healthz`);
      expect([health.status, await health.text()]).toEqual([503, 'no answer from worker 3\n']);
      expect([...(await byWorker('process_memory_usage')).keys()].toSorted()).toEqual(['1', '2', 'primary']);
      expect((await byWorker('deja_gateway_worker_scrapes_missed_total')).get('3')).toBeGreaterThanOrEqual(1);
    } finally {
      process.kill(third!, 'SIGCONT');
    }
    await eventually('worker 3 again', async () => (await state()).workers[2]?.ready);
    expect(await inTurn(6, () => statusOf())).toEqual(Array.from({ length: 6 }, () => 200));
    expect(provider.requests).toHaveLength(15); // what was taken back was answered by one worker alone
  }, 60_000);

  test('that is told to stop ends no stream before its end, in any worker, and exits with 0', async () => {
    const streams = await inTurn(3, heldStream);
    const before = cluster.pid('gateway');
    const said = cluster.logged('gateway-1 died').length;
    cluster.kill('gateway', 1, 'SIGTERM');
    await eventually('readiness off', async () => !(await state()).ready);
    expect(cluster.pid('gateway')).toBe(before);
    gate.open();
    for (const text of await Promise.all(streams.map((stream) => stream.text))) expect(text).toContain('[DONE]');
    await eventually('its end', () => cluster.logged('gateway-1 died').length > said);
    expect(cluster.logged('gateway-1 died').at(-1)?.text).toContain('exit code 0');
    await cluster.waitReady();
    expect(await outcomes(streams.map(({ id }) => id))).toEqual(['ok', 'ok', 'ok']);
  }, 60_000);

  test('whose primary process is killed ends what runs, and is there again meanwhile', async () => {
    const streams = await inTurn(3, heldStream);
    const workers = await pids();
    await cluster.killAndWait('gateway');
    expect(await inTurn(3, () => statusOf())).toEqual([200, 200, 200]);
    expect((await pids()).some((pid) => workers.includes(pid))).toBe(false);
    gate.open();
    for (const text of await Promise.all(streams.map((stream) => stream.text))) expect(text).toContain('[DONE]');
    expect(await outcomes(streams.map(({ id }) => id))).toEqual(['ok', 'ok', 'ok']);
    await eventually('the end of the old workers', () => workers.every((pid) => !isAlive(pid)));
  }, 60_000);
});

test('a number of workers that is none is the sentence of the start', async () => {
  await expect(testCluster({ provider, apps: ['gateway'], env: { DEJA_GATEWAY_WORKERS: 'many' } })).rejects.toThrow('DEJA_GATEWAY_WORKERS must be auto or a whole number between 1 and 256, but it is "many".');
}, 60_000);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
