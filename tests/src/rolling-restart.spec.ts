import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MemberName } from '@deja/launcher';
import { chunks, fakeProvider, testCluster, type FakeProvider, type ProviderRequest, type Step, type TestCluster } from '@deja/testing';
import OpenAI from 'openai';
import { Agent, fetch as fetchVia, request } from 'undici';
import { ask, chat, eventually } from './client.ts';
import { ConnectionBalancer, type Target } from './connection-balancer.ts';

const ANSWER = ['A ', 'rolling ', 'restart ', 'loses ', 'nothing.'];
/** Between pieces of the answer. A stream of the patient lasts longer than the gateways' delay. */
const PACE_MS = { Newcomer: 10, Regular: 30, Patient: 600 };
const DELAY_S = 2;
type Kind = keyof typeof PACE_MS;
const clients = (kind: Kind, count: number): Kind[] => Array.from({ length: count }, () => kind);
/** Newcomers have a new connection for each request, the others keep theirs for as long as they may. */
const CLIENTS = [...clients('Newcomer', 4), ...clients('Regular', 6), ...clients('Patient', 2)];
const RESTARTED: MemberName[] = ['router', 'semantic-cache', 'usage-worker', 'gateway'];

const paced = ({ rawBody }: ProviderRequest): Step => chunks(ANSWER, { chunkDelayMs: Object.entries(PACE_MS).find(([kind]) => rawBody.includes(kind))?.[1] ?? 0 });

let provider: FakeProvider;
beforeAll(async () => {
  provider = await fakeProvider({ otherwise: paced });
});
afterAll(() => provider?.close());

const target = (cluster: TestCluster, n: number): Target => ({ port: Number(new URL(cluster.urls[n - 1]!).port), readyUrl: `${cluster.opsUrl('gateway', n)}/readyz` });

describe('two replicas of everything behind a balancer of connections', () => {
  let cluster: TestCluster;
  let balancer: ConnectionBalancer;

  beforeAll(async () => {
    cluster = await testCluster({ provider, scale: { gateway: 2, router: 2, 'semantic-cache': 2, 'usage-worker': 2 }, env: { DEJA_DRAIN_DELAY_S: String(DELAY_S) } });
    balancer = await ConnectionBalancer.start([target(cluster, 1), target(cluster, 2)]);
  }, 120_000);
  afterAll(async () => {
    await balancer?.stop();
    await cluster?.stop();
  });

  /** One client: asks whole and streamed in turn, until it is told to end. Everything that went wrong, and the ids of what it was answered. */
  async function keepAsking(who: Kind, number: number, isOver: () => boolean): Promise<{ ids: string[]; failures: unknown[] }> {
    const dispatcher = new Agent({ connections: 1, pipelining: who === 'Newcomer' ? 0 : 1 });
    const fetch = ((input: string, init: object) => fetchVia(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
    const sdk = new OpenAI({ baseURL: `${balancer.url}/v1`, apiKey: cluster.key, maxRetries: 0, timeout: 20_000, fetch });
    const ids: string[] = [];
    const failures: unknown[] = [];
    for (let i = 0; !isOver(); i++) {
      try {
        ids.push(await answered(sdk, `${who} client ${number} asks for the ${i}th time.`, i % 2 === 0));
      } catch (error) {
        failures.push(error);
      }
    }
    await dispatcher.close();
    return { ids, failures };
  }

  async function answered(sdk: OpenAI, question: string, streamed: boolean): Promise<string> {
    const body = { model: 'gpt-4o-mini', messages: ask(question) };
    if (!streamed) {
      const whole = await sdk.chat.completions.create(body);
      expect([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason]).toEqual([ANSWER.join(''), 'stop']);
      return whole._request_id ?? '';
    }
    const { data, request_id: id } = await sdk.chat.completions.create({ ...body, stream: true }).withResponse();
    const pieces: string[] = [];
    const ends: unknown[] = [];
    for await (const { choices: [choice] } of data) {
      pieces.push(choice?.delta.content ?? '');
      if (choice?.finish_reason) ends.push(choice.finish_reason);
    }
    expect([pieces.join(''), ends]).toEqual([ANSWER.join(''), ['stop']]);
    return id ?? '';
  }

  test('are restarted one after the other, and no request fails, no stream is cut, and each is in the ledger once and was bought once', async () => {
    let over = false;
    const asking = CLIENTS.map((who, number) => keepAsking(who, number, () => over));
    for (const app of RESTARTED) {
      for (const n of [1, 2]) {
        const before = cluster.pid(app, n);
        await cluster.restart(app, n);
        expect(cluster.pid(app, n)).not.toBe(before);
        if (app === 'gateway') await eventually(`gateway ${n} in the balancer again`, () => balancer.sendsTo(n));
      }
    }
    over = true;
    const results = await Promise.all(asking);
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(balancer.refused).toBe(0);
    const ids = results.flatMap((result) => result.ids);
    expect(results.every((result) => result.ids.length > 2)).toBe(true);
    const counted = 'select count(*)::int as count, count(distinct id)::int as different from usage.operations';
    await eventually('every request in the ledger', async () => (await cluster.sql<{ count: number }>(`${counted} where id = any($1)`, [ids]))[0]?.count === ids.length, 90_000); // a job whose worker ended in it is taken up by another one within a minute
    expect(await cluster.sql(counted)).toEqual([{ count: ids.length, different: ids.length }]);
    expect(await cluster.sql('select outcome, status, cache, count(*)::int from usage.operations group by 1, 2, 3')).toEqual([{ outcome: 'ok', status: 200, cache: 'MISS', count: ids.length }]);
    expect(await cluster.sql("select count(*)::int from usage.attempts where outcome = 'ok'")).toEqual([{ count: provider.requests.length }]);
    expect(provider.requests).toHaveLength(ids.length);
  }, 240_000);
});

describe('a gateway that is told to stop', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await testCluster({ provider, apps: ['gateway', 'router'], env: { DEJA_DRAIN_DELAY_S: '600' } });
  }, 120_000);
  afterAll(() => cluster?.stop());

  /** The status of a chat, and whether its connection may be used again, on a connection of this agent. */
  async function asked(dispatcher: Agent, question: string): Promise<[number, string]> {
    const { statusCode, headers, body } = await request(`${cluster.url}/v1/chat/completions`, { dispatcher, method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}` }, body: JSON.stringify(chat(question)) });
    await body.text();
    return [statusCode, String(headers['connection'] ?? 'keep-alive')];
  }
  const ready = async (): Promise<number> => (await fetch(`${cluster.opsUrl('gateway')}/readyz`)).status;

  test('says at once that it is not ready, serves old and new connections for the delay, and ends each with its answer; a second SIGTERM ends the delay', async () => {
    const [old, other] = [new Agent({ connections: 1 }), new Agent({ connections: 1 })];
    expect([await asked(old, 'Before the drain?'), await ready()]).toEqual([[200, 'keep-alive'], 200]);
    const before = cluster.pid('gateway');
    cluster.kill('gateway', 1, 'SIGTERM');
    await eventually('readiness off', async () => (await ready()) === 503);
    expect(await asked(old, 'By the connection of before?')).toEqual([200, 'close']);
    expect(await asked(other, 'By a new connection?')).toEqual([200, 'close']);
    expect([await asked(old, 'By one more?'), await ready(), cluster.pid('gateway')]).toEqual([[200, 'close'], 503, before]);
    cluster.kill('gateway', 1, 'SIGTERM');
    await eventually('its end', () => cluster.pid('gateway') !== before);
    expect((await cluster.whenLogged('gateway-1 died')).text).toContain('exit code 0');
    await Promise.all([old.close(), other.close()]);
  }, 60_000);

  test('SIGINT has no delay', async () => {
    await cluster.waitReady();
    const before = cluster.pid('gateway');
    cluster.kill('gateway', 1, 'SIGINT');
    await eventually('its end', () => cluster.pid('gateway') !== before);
    expect(cluster.logged('gateway-1 died').at(-1)?.text).toContain('exit code 0');
  }, 60_000);
});
