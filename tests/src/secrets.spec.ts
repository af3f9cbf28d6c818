import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, status, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { Redis } from 'ioredis';
import { chat, operationRow, post, sdk, ask } from './client.ts';
import { TraceCollector } from './trace-collector.ts';

const UPSTREAM = ['sk-upstream-planted-1-XYZZY', 'planted-2-without-a-prefix-XYZZY'];
const BOOTSTRAP = 'sk-deja-plantedkey-0123456789XYZZY';

let provider: FakeProvider;
let collector: TraceCollector;
let cluster: TestCluster;

beforeAll(async () => {
  provider = await fakeProvider();
  collector = await TraceCollector.start();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: UPSTREAM.map((value, i) => ({ name: `c${i}`, value })) } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
    },
    env: { DEJA_BOOTSTRAP_KEY: BOOTSTRAP, LOG_LEVEL: 'trace', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' },
  });
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await collector?.close();
});

async function redisDump(): Promise<string> {
  const redis = new Redis(cluster.redisUrl);
  const keys = await redis.keys('*');
  const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  redis.disconnect();
  return keys.join('\n') + values.map((value) => value?.toString('latin1')).join('\n');
}

async function postgresDump(): Promise<string> {
  const tables = await cluster.sql<{ name: string }>("select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')");
  const rows = await Promise.all(tables.map(({ name }) => cluster.sql(`select t::text from ${name} t`)));
  return JSON.stringify(rows);
}

describe('secrets', () => {
  test('no credential and no client key is in clear in Redis, Postgres, a log, a span, a metric or an error', async () => {
    expect(cluster.key).toBe(BOOTSTRAP);
    const errors: string[] = [];
    await sdk(cluster).chat.completions.create({ model: 'gpt-4o', messages: ask('A good one with all the secrets in place.') });
    for (const failure of [status(401, {}, { error: { message: `Incorrect API key provided: ${UPSTREAM[0]}`, code: 'invalid_api_key' } }), status(500, {}, { error: { message: `internal: ${UPSTREAM[1]}` } })]) {
      provider.script(failure, failure, failure, failure);
      errors.push((await post(cluster, chat(`Fail ${errors.length} for me please, will you?`))).text);
    }
    provider.reset();
    errors.push((await post(cluster, '{"model":')).text, (await post(cluster, chat('x'), { authorization: `Bearer ${BOOTSTRAP}x` })).text);
    const last = await post(cluster, chat('The last one, and its ledger row.'));
    await operationRow(cluster, last.headers.get('x-request-id'));
    expect(UPSTREAM).toContain(provider.requests.at(-1)?.credential);

    const metrics = await Promise.all(cluster.apps.map(async ({ app }) => (await fetch(`${cluster.opsUrl(app)}/metrics`)).text()));
    const places = {
      redis: await redisDump(),
      postgres: await postgresDump(),
      log: cluster.lines.map((line) => line.text).join('\n'),
      spans: JSON.stringify(collector.spans),
      metrics: metrics.join('\n'),
      errors: errors.join('\n'),
    };
    for (const [place, text] of Object.entries(places)) {
      expect([place, text.length > 0]).toEqual([place, true]);
      for (const secret of [...UPSTREAM, BOOTSTRAP]) expect([place, text.includes(secret)]).toEqual([place, false]);
    }
  }, 60_000);
});
