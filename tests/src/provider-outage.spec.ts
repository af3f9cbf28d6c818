import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, hang, raw, status, testCluster, type FakeProvider, type ScriptStep, type Step, type TestCluster } from '@deja/testing';
import { Redis } from 'ioredis';
import { eventually } from './client.ts';

const REQUESTS_PER_S = 50;
/** A machine that cannot answer as fast is not asked for more. */
const MOST_OPEN = 200;
/** Of so many requests in a row, one that is in rotation gets about half of the first calls. */
const SPAN = 50;
const FEWEST_IN_ROTATION = 12;
/** Each gateway may try now and then, with one request at a time, whether it has healed. */
const MOST_PROBES = 4;
const SLOW_MS = 2000;
const SILENT_ROUTERS_MS = 10_000;
const DEADLINE_MS = 45_000;
/** Looking is work too, on a machine that has two cores for everybody. */
const LOOK_EVERY_MS = 200;

const TEXT = 'Fine, thank you.';
const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const STREAMED = `${chunk({ role: 'assistant', content: TEXT }, null)}${chunk({}, 'stop')}data: [DONE]\n\n`;

/** Streams go out in one piece: one that a kill cuts in the middle of its content is lost, and rightly so. */
const answers = (afterMs: number) => ({ body }: { body: unknown }): Step => {
  const isStream = (body as { stream?: boolean }).stream === true;
  return { ...(isStream ? raw({ contentType: 'text/event-stream', body: STREAMED }) : answer(TEXT)), beforeFirstByteMs: afterMs };
};
const well = answers(20);

let a: FakeProvider;
let b: FakeProvider;
let aUrl: string;
let cluster: TestCluster;

beforeAll(async () => {
  [a, b] = await Promise.all([fakeProvider({ otherwise: well }), fakeProvider({ otherwise: well })]);
  aUrl = a.url;
  cluster = await testCluster({ config: configuration('m'), scale: { gateway: 2, router: 2 } });
}, 90_000);
afterAll(async () => {
  await cluster?.stop();
  await Promise.all([a?.close(), b?.close()]);
});

interface Model {
  strategy?: 'weighted' | 'least_latency';
  /** How long a call may take: long enough for a healthy provider on a busy machine, unless said. */
  deadlineMs?: number;
}

function configuration(model: string, { strategy = 'weighted', deadlineMs = 10_000 }: Model = {}): object {
  const provider = (url: string): object => ({ kind: 'openai', server: 'openai', base_url: url, credentials: [{ name: 'one', value: 'sk-upstream-one' }, { name: 'two', value: 'sk-upstream-two' }] });
  return {
    providers: { a: provider(aUrl), b: provider(b.url) },
    models: [{ name: model, strategy, deployments: [{ provider: 'a', model }, { provider: 'b', model }] }],
    timeouts: { first_byte_ms: deadlineMs, unary_ms: deadlineMs },
    breaker: { pause_ms: [1000, 4000] },
  };
}

/** A model that nothing is known of yet, at both gateways. */
async function serve(model: string, o: Model = {}): Promise<void> {
  await cluster.configure(configuration(model, o));
  for (const n of [0, 1]) await eventually(`model ${model} at gateway ${n + 1}`, async () => (await send(model, n)) === null);
}

/** Null when it was answered in full, else what went wrong. Every other one is streamed, at each gateway. */
async function send(model: string, n: number): Promise<string | null> {
  const stream = n % 4 > 1;
  try {
    const response = await fetch(`${cluster.urls[n % 2]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}`, 'x-cache-mode': 'off' },
      body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: `How are you, number ${n}?` }] }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const isWhole = response.status === 200 && text.includes(TEXT) && (!stream || text.trimEnd().endsWith('[DONE]'));
    return isWhole ? null : `request ${n}: ${response.status} ${text}`;
  } catch (error) {
    return `request ${n}: ${String(error)}`;
  }
}

/** Sends at a steady pace, however long answers take, until `during` is over. Resolves with what failed. */
async function underLoad(model: string, during: () => Promise<void>): Promise<string[]> {
  const sent: Promise<string | null>[] = [];
  const from = performance.now();
  let isOver = false;
  let open = 0;
  const sending = (async () => {
    for (; !isOver; await new Promise((resolve) => setTimeout(resolve, 5))) {
      while (open < MOST_OPEN && sent.length < ((performance.now() - from) / 1000) * REQUESTS_PER_S) {
        open += 1;
        sent.push(send(model, sent.length).finally(() => (open -= 1)));
      }
    }
  })();
  await during().finally(() => (isOver = true));
  await sending;
  return (await Promise.all(sent)).filter((failure) => failure !== null);
}

/** Calls of `a` among the operations of a model that were received last, after this moment; null before there were enough. */
async function callsOfA(model: string, since: Date): Promise<number | null> {
  const [row] = await cluster.sql<{ operations: number; calls: number }>(
    `with latest as (select id from usage.operations where requested_model = $1 and received_at > $2 order by received_at desc limit ${SPAN})
     select (select count(*) from latest)::int as operations, (select count(*) from usage.attempts where provider = 'a' and operation_id in (select id from latest))::int as calls`,
    [model, since.toISOString()],
  );
  return row === undefined || row.operations < SPAN ? null : row.calls;
}

async function whenCalled(model: string, what: string, fits: (calls: number) => boolean): Promise<void> {
  const since = new Date();
  await eventually(`${what} (${model})`, async () => {
    const calls = await callsOfA(model, since);
    if (calls !== null && fits(calls)) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    return false;
  }, DEADLINE_MS);
}

const inRotation = (model: string): Promise<void> => whenCalled(model, 'provider a gets its share', (calls) => calls >= FEWEST_IN_ROTATION);

/** The routers say so, and its calls drop to probes. */
async function outOfRotation(model: string): Promise<void> {
  await eventually(`a/${model} set aside`, async () => {
    const response = await fetch(`${cluster.url}/admin/v1/deployments`, { headers: { authorization: `Bearer ${cluster.adminKey}` } });
    const { data } = (await response.json()) as { data: { id: string; trouble: string | null }[] };
    return data.some(({ id, trouble }) => id === `a/${model}` && trouble === 'failing');
  }, DEADLINE_MS);
  await whenCalled(model, 'provider a gets probes at most', (calls) => calls <= MOST_PROBES);
}

async function kill(): Promise<void> {
  await a.close();
}
async function revive(): Promise<void> {
  a = await fakeProvider({ otherwise: well, port: Number(new URL(aUrl).port) });
}

/** Resolves when this provider has had so many more calls. */
async function afterCalls(provider: FakeProvider, more: number): Promise<void> {
  const before = provider.requests.length;
  await provider.waitFor(({ requests }) => requests.length >= before + more, DEADLINE_MS);
}

describe('while one of two providers fails, no client request does, at 50 a second', () => {
  test.each<[string, ScriptStep | null, Model]>([
    ['is killed', null, {}],
    ['hangs', hang(), { deadlineMs: 3000 }],
    ['answers 500', status(500), {}],
  ])('it %s: it is out of rotation, but for probes, and back when it is well again', async (what, does, o) => {
    const model = `outage-${what.replaceAll(' ', '-')}`;
    await serve(model, o);
    const failed = await underLoad(model, async () => {
      await inRotation(model);
      if (does === null) await kill();
      else a.otherwise(does);
      await outOfRotation(model);
      if (does === null) await revive();
      else a.otherwise(well);
      await inRotation(model);
    });
    expect(failed).toEqual([]);
  }, 120_000);

  test('it fails one call in ten: it stays in rotation', async () => {
    await serve('a-tenth');
    let calls = 0;
    const failed = await underLoad('a-tenth', async () => {
      a.otherwise((request) => (++calls % 10 === 0 ? status(500) : well(request)));
      await afterCalls(a, 100);
      await inRotation('a-tenth');
    });
    a.otherwise(well);
    expect(failed).toEqual([]);
  }, 60_000);

  test('it is slow, and the model is weighted: half of the requests are slow', async () => {
    await serve('slow');
    const failed = await underLoad('slow', async () => {
      a.otherwise(answers(SLOW_MS));
      await afterCalls(a, SPAN);
    });
    a.otherwise(well);
    expect(failed).toEqual([]);
  }, 60_000);

  test('it is slow, and the model goes by latency: it gets next to nothing', async () => {
    await serve('slow-by-latency', { strategy: 'least_latency' });
    const failed = await underLoad('slow-by-latency', async () => {
      await afterCalls(b, 1);
      a.otherwise(answers(SLOW_MS));
      await whenCalled('slow-by-latency', 'provider a is avoided', (calls) => calls <= MOST_PROBES);
    });
    a.otherwise(well);
    expect(failed).toEqual([]);
  }, 60_000);
});

describe('while a provider fails and deja does too, no client request fails', () => {
  test('a router is killed, and a gateway’s connections to the routers break', async () => {
    await serve('broken-links');
    const failed = await underLoad('broken-links', async () => {
      await inRotation('broken-links');
      a.otherwise(status(500));
      const killed = cluster.killAndWait('router', 1);
      await afterCalls(b, SPAN);
      await breakConnections();
      await afterCalls(b, SPAN);
      await killed;
      await outOfRotation('broken-links');
      a.otherwise(well);
      await inRotation('broken-links');
    });
    expect(failed).toEqual([]);
  }, 120_000);

  test('no router lives for ten seconds: gateways serve from what they know, and say so', async () => {
    await serve('no-router');
    const failed = await underLoad('no-router', async () => {
      await inRotation('no-router');
      const goneAtMs = performance.now();
      await Promise.all([1, 2].map((n) => cluster.cluster.suspend('router', n, 0)));
      a.otherwise(status(500));
      // Nobody tells the gateways: each goes by what it sees itself.
      await whenCalled('no-router', 'provider a is suspected', (calls) => calls <= SPAN / 5);
      await eventually('both gateways to say so', async () => (await Promise.all([1, 2].map(staleness))).every(({ degraded, staleS }) => degraded.includes('router') && staleS > 0));
      await eventually('ten seconds', () => performance.now() - goneAtMs >= SILENT_ROUTERS_MS);
      await Promise.all([1, 2].map((n) => cluster.resume('router', n)));
      await cluster.waitReady();
      await eventually('both gateways to hear of routers again', async () => (await Promise.all([1, 2].map(staleness))).every(({ degraded, staleS }) => degraded.length === 0 && staleS === 0));
      a.otherwise(well);
      await inRotation('no-router');
    });
    expect(failed).toEqual([]);
  }, 120_000);
});

/** What a gateway, which must be ready, says it does without, and for how long. */
async function staleness(n: number): Promise<{ degraded: string[]; staleS: number }> {
  const [ready, metrics] = await Promise.all(['readyz', 'metrics'].map((path) => fetch(`${cluster.opsUrl('gateway', n)}/${path}`)));
  expect(ready!.status).toBe(200);
  const { degraded = [] } = (await ready!.json()) as { degraded?: string[] };
  return { degraded, staleS: Number(/^deja_gateway_routing_stale(?:\{[^}]*\})? (\S+)/m.exec(await metrics!.text())?.[1]) };
}

/** Breaks every connection by which gateways hear of routers and call them. */
async function breakConnections(): Promise<void> {
  const redis = new Redis(cluster.redisUrl);
  const clients = ((await redis.client('LIST')) as string).split('\n').filter((line) => /\bname=(gateway-push|rpc-router|rpc-router-inbox) /.test(line));
  const ids = clients.map((line) => /\bid=(\d+)/.exec(line)?.[1] ?? '');
  expect(ids.length).toBeGreaterThanOrEqual(6);
  await Promise.all(ids.map((id) => redis.client('KILL', 'ID', id)));
  redis.disconnect();
}
