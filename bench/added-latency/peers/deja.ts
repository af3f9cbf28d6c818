import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type Cluster } from '@deja/launcher';
import { startOtlpSink } from '../helper-process.ts';
import { MODEL, PAUSES_MS, type Kind } from '../work.ts';
import type { RunningPeer } from './peer.ts';

/** Their questions are in a scope that is filled, and that nothing else may push out of the index: a tenant has room for so many entries. */
const CROWDED: ReadonlySet<Kind> = new Set(['crowded', 'reworded']);
const LAST_WORDS = 20;

/** Everything that a request can meet is on, and large enough that it refuses none. */
const configuration = (providerPort: number): object => ({
  providers: { openai: { kind: 'openai', base_url: `http://127.0.0.1:${providerPort}/v1`, credentials: [{ name: 'bench', value: 'bench-credential' }] } },
  models: [{ name: '*', deployments: [{ provider: 'openai', model: '*' }] }],
  limits: { per_key: { requests_per_minute: 100_000_000, tokens_per_minute: 1_000_000_000_000, requests_per_day: 1_000_000_000, concurrency: 100_000 } },
  budgets: { per_key: [{ usd: 1_000_000_000, period: 'month', mode: 'hard' }] },
  cache: { exact: { enabled: true, ttl_s: 3600 }, semantic: { enabled: true, ttl_s: 3600 } },
  capture: 'full',
  prices: Object.fromEntries([MODEL, ...Object.keys(PAUSES_MS)].map((model) => [model, { input_usd_per_million: 0.15, output_usd_per_million: 0.6 }])),
});

export const DEJA_DOES =
  'authentication, 4 limits (requests and tokens a minute, requests a day, concurrency) and a hard budget, exact and semantic look-up, a plan, the ledger, whole bodies captured, a tenth of the traces exported';

/** A whole cluster, one replica of each app, with a Redis and a Postgres of its own. */
export async function startDeja(providerPort: number, onMade: (cluster: Cluster) => void): Promise<RunningPeer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const sink = await startOtlpSink();
  const configPath = join(dataDir, 'deja.yaml');
  await writeFile(configPath, JSON.stringify(configuration(providerPort)));
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
  const said: string[] = [];
  const cleanUp = async (): Promise<void> => {
    sink.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const cluster = await startCluster(
      { dataDir, port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: configPath, ...tracing }, output: ({ from, text, level }) => void (level === 'debug' || said.push(`${from} ${text}`)) },
      { onMade },
    );
    const crowdedKey = await keyOfTenant(cluster, 'crowded');
    const port = Number(new URL(cluster.baseUrl).port);
    return {
      name: 'deja', does: DEJA_DOES, cache: 'semantic',
      target: (kind) => ({ port, key: CROWDED.has(kind) ? crowdedKey : cluster.key }),
      processes: () => ({
        gateway: cluster.pid('gateway') ?? 0,
        others: cluster.apps.flatMap(({ app, pid }) => (app === 'gateway' || pid === null ? [] : [pid])),
        redis: cluster.pid('redis'), postgres: cluster.pid('postgres'),
      }),
      lastWords: () => said.slice(-LAST_WORDS).join('\n'),
      stop: async () => {
        await cluster.stop();
        await cleanUp();
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function keyOfTenant(cluster: Cluster, tenant: string): Promise<string> {
  const post = async (path: string, body: object): Promise<{ key?: string }> => {
    const response = await fetch(`${cluster.adminUrl ?? cluster.baseUrl}/admin/v1/${path}`, { method: 'POST', headers: { authorization: `Bearer ${cluster.adminKey}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`POST ${path} was answered with ${response.status}: ${await response.text()}`);
    return (await response.json()) as { key?: string };
  };
  await post('tenants', { id: tenant });
  return (await post('keys', { tenant, name: 'bench' })).key ?? '';
}
