import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Agent, fetch as fetchVia } from 'undici';
import { undisturbed } from './bursts.ts';
import { chat, eventually } from './client.ts';
import { newKey } from './tenant-keys.ts';

/** Long enough for the start of a worker on a slow machine, which says nothing meanwhile. */
const SILENCE_S = 15;
const SEQUENCE = 60;

let provider: FakeProvider;
beforeAll(async () => {
  provider = await fakeProvider({ otherwise: answer('Done.') });
});
afterAll(() => provider?.close());

interface State {
  workers: { worker: number; pid: number | null; ready: boolean }[];
}
const state = async (cluster: TestCluster): Promise<State> => (await (await fetch(`${cluster.opsUrl('gateway')}/readyz`)).json()) as State;
const pids = async (cluster: TestCluster): Promise<number[]> => (await state(cluster)).workers.map(({ pid }) => pid ?? 0);

/** Each with a connection of its own, so that it is the next process that answers. */
async function statusOf(url: string, key: string, question: string): Promise<number> {
  const dispatcher = new Agent({ pipelining: 0, connections: 1 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'x-cache-mode': 'off' };
  const reply = await fetchVia(`${url}/v1/chat/completions`, { method: 'POST', dispatcher, headers, body: JSON.stringify(chat(question)) });
  await reply.text();
  void dispatcher.close();
  return reply.status;
}

/** A request by a socket of its own; `sent` when the kernel has all of it, and what came back until the connection ended, '' where it was reset. */
function rawRequest(cluster: TestCluster, question: string): { sent: Promise<void>; reply: Promise<string> } {
  const body = JSON.stringify(chat(question));
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: test', 'connection: close', `authorization: Bearer ${cluster.key}`, 'content-type: application/json', 'x-cache-mode: off', `content-length: ${Buffer.byteLength(body)}`];
  const socket = connect(Number(new URL(cluster.url).port), '127.0.0.1');
  const sent = Promise.withResolvers<void>();
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => sent.resolve());
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('error', () => undefined);
  return { sent: sent.promise, reply: once(socket, 'close').then(() => text) };
}

/** Tells a gateway to stop while all its processes stand still, with requests on their way to it. Returns what came of them. */
async function stoppedWhileItStoodStill(cluster: TestCluster, processes: number[]): Promise<string[]> {
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  const requests = Array.from({ length: 40 }, (_, i) => rawRequest(cluster, `Question ${i} of a moment in which nobody is there`));
  await Promise.all(requests.map(({ sent }) => sent));
  cluster.kill('gateway', 1, 'SIGTERM');
  for (const pid of processes) process.kill(pid, 'SIGCONT');
  return Promise.all(requests.map(async ({ reply }) => (await reply).split('\r\n')[0] ?? ''));
}

/** One request after another under a concurrency of 1. A process that stands still after an answer holds its place for too long: where one request was refused, once more from the start. */
async function expectNoneRefused(cluster: TestCluster, urls: readonly string[]): Promise<void> {
  const once = async (): Promise<number[]> => {
    const key = await newKey(cluster, 'sequential', { limits: { concurrency: 1 } });
    const seen: number[] = [];
    for (let i = 0; i < SEQUENCE; i++) seen.push(await statusOf(urls[i % urls.length]!, key, `Question ${i}`));
    return seen;
  };
  let seen = await once();
  const refused = (): number => seen.filter((status) => status === 429).length;
  for (let tries = 1; tries < 3 && refused() === 1; tries++) seen = await once();
  expect(seen).toEqual(Array.from({ length: SEQUENCE }, () => 200));
}

const ANSWERED = Array.from({ length: 40 }, () => 'HTTP/1.1 200 OK');

async function exited(cluster: TestCluster): Promise<string> {
  const line = await eventually('its end', () => cluster.logged('gateway-1 died').at(-1));
  await cluster.waitReady();
  return line.text;
}

describe('a gateway of three workers', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    // Refuses what no worker takes; how late a loop is on a busy machine is nobody's to say.
    cluster = await testCluster({ provider, apps: ['gateway', 'router'], env: { DEJA_GATEWAY_WORKERS: '3', DEJA_GATEWAY_WORKER_SILENCE_S: String(SILENCE_S), DEJA_OVERLOAD: 'on', DEJA_OVERLOAD_LATENESS_MS: '10000' } });
  }, 120_000);
  afterAll(() => cluster?.stop());

  test('never refuses a client that sends one request after another under a concurrency of 1', () => undisturbed(cluster, async () => {
    provider.reset();
    await expectNoneRefused(cluster, [cluster.url]);
    expect(provider.maxInFlight).toBe(1);
  }), 60_000);

  test('refuses within seconds whom no worker has time for, and serves them when one has', async () => {
    const workers = await pids(cluster);
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    let refused: string[];
    try {
      refused = await Promise.all(Array.from({ length: 20 }, (_, i) => rawRequest(cluster, `Question ${i} that nobody hears`).reply));
    } finally {
      for (const pid of workers) process.kill(pid, 'SIGCONT');
    }
    for (const reply of refused) {
      expect(reply).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: [1-3]\r\n.*"code":"overloaded"/s);
    }
    await cluster.waitReady();
    expect(await statusOf(cluster.url, cluster.key, 'Question that somebody hears')).toBe(200);
    expect(await (await fetch(`${cluster.opsUrl('gateway')}/metrics`)).text()).toMatch(/^deja_gateway_overload_refused_total\{worker="primary",reason="untaken",priority="interactive"\} 20$/m);
    expect(await pids(cluster)).toEqual(workers);
  }, 60_000);

  test('ends a worker that says nothing for too long, says so in one sentence, and starts another in its place', async () => {
    const before = await pids(cluster);
    process.kill(before[1]!, 'SIGSTOP');
    const line = await cluster.whenLogged('a worker that has said nothing for too long is killed', 2000 * SILENCE_S);
    expect(JSON.parse(line.text)).toMatchObject({ worker: 2, pid: before[1], silent_s: SILENCE_S });
    await eventually('another worker 2', async () => (await state(cluster)).workers.every(({ ready }) => ready) && (await pids(cluster))[1] !== before[1], 30_000);
    expect((await pids(cluster)).map((pid, i) => pid === before[i])).toEqual([true, false, true]);
    expect(await statusOf(cluster.url, cluster.key, 'Question of afterwards')).toBe(200);
  }, 90_000);

  test('that is told to stop while all its processes stood still answers what was sent to it meanwhile, and exits with 0', async () => {
    expect(await stoppedWhileItStoodStill(cluster, [...(await pids(cluster)), cluster.pid('gateway')!])).toEqual(ANSWERED);
    expect(await exited(cluster)).toContain('exit code 0');
  }, 60_000);
});

test('a gateway of one process that is told to stop while it stood still answers what was sent to it meanwhile, and exits with 0', async () => {
  const cluster = await testCluster({ provider, apps: ['gateway', 'router'] });
  try {
    expect(await stoppedWhileItStoodStill(cluster, [cluster.pid('gateway')!])).toEqual(ANSWERED);
    expect(await exited(cluster)).toContain('exit code 0');
  } finally {
    await cluster.stop();
  }
}, 120_000);

test('two gateways never refuse a client that sends one request after another, to one and the other, under a concurrency of 1', async () => {
  const cluster = await testCluster({ provider, apps: ['gateway', 'router'], scale: { gateway: 2 } });
  try {
    await undisturbed(cluster, () => expectNoneRefused(cluster, cluster.urls));
  } finally {
    await cluster.stop();
  }
}, 120_000);
