import { fileURLToPath } from 'node:url';
import { ReplicaPaths, testCluster, type TestCluster } from '@deja/testing';
import { AdminClient } from '../src/admin-client.ts';
import type { Rates } from './agreement.ts';
import type { Ceiling } from './evidence.ts';
import { LIMITED_SHARE, MODEL, VECTORS, type Keys } from './load.ts';
import { LoggedProvider } from './logged-provider.ts';
import { INSPECTED } from './memory-watch.ts';
import { APPS } from './schedule.ts';

/** Of the checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const REPLICAS = 2;
const FREE = ['amber', 'birch', 'cedar'] as const;
const PLACES = 2;
/** Half of what is asked under a limit of requests fits under it. */
const ADMITTED = 0.5;
const USD = { input: 0.15, cachedInput: 0.075, output: 0.6 };
export const RATES: Rates = { input: 150_000_000n, cachedInput: 75_000_000n, output: 600_000_000n };
/** So much spends a poor client within the first tenth of a run, about. */
const BUDGET_NANO_USD = 3_000_000n;

/** Two replicas of everything, with ways that can be cut, two providers, and clients of several kinds. */
export interface ChaosStage {
  cluster: TestCluster;
  paths: ReplicaPaths;
  providers: LoggedProvider[];
  keys: Keys;
  ceilings: Ceiling[];
  admin: AdminClient;
  stop(): Promise<void>;
}

export interface StageOptions {
  random: () => number;
  perSecond: number;
  /** Longer than a busy machine needs for an answer, and shorter than a fault of a soak. */
  firstByteMs?: number;
  env: Record<string, string>;
}

export async function chaosStage({ random, perSecond, firstByteMs = 5000, env }: StageOptions): Promise<ChaosStage> {
  const providers = ['a', 'b'].map((name) => new LoggedProvider(name, random));
  const paths = await ReplicaPaths.for(APPS.flatMap((app) => Array.from({ length: REPLICAS }, (_, i) => ({ app, n: i + 1 }))));
  const stopping: (() => Promise<unknown>)[] = [...providers.map((provider) => () => provider.close()), () => paths.close()];
  const stop = async (): Promise<void> => {
    for (const end of stopping) await end();
  };
  try {
    await Promise.all(providers.map((provider) => provider.start()));
    const cluster = await testCluster({ config: configFor(providers, firstByteMs), scale: Object.fromEntries(APPS.map((app) => [app, REPLICAS])), ownPostgres: true, paths, env: { DEJA_OVERLOAD: 'on', DEJA_REDIS_DEADLINE_MS: '50', ...INSPECTED, ...env } });
    stopping.unshift(() => cluster.stop({ force: true }));
    const admin = new AdminClient(cluster);
    return { cluster, paths, providers, admin, ...(await clientsOf(admin, perSecond)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configFor(providers: LoggedProvider[], firstByteMs: number): object {
  const model = (name: string): object => ({ name, deployments: providers.map((provider) => ({ provider: provider.name, model: name })) });
  const price = { input_usd_per_million: USD.input, cached_input_usd_per_million: USD.cachedInput, output_usd_per_million: USD.output };
  return {
    providers: Object.fromEntries(providers.map(({ name, url, credentials }) => [name, { kind: 'openai', server: 'openai', base_url: url, credentials: Object.entries(credentials).map(([which, value]) => ({ name: which, value, limits: { concurrency: 200 } })) }])),
    models: [model(MODEL), model(VECTORS)],
    prices: { [MODEL]: price, [VECTORS]: price },
    timeouts: { first_byte_ms: firstByteMs, unary_ms: firstByteMs },
    breaker: { pause_ms: [500, 4000] },
    // Short lives: what is kept at once is as much in the tenth minute as in the thirtieth, so that memory is flat where nothing leaks.
    cache: { exact: { ttl_s: 120 }, semantic: { ttl_s: 120, audit: { share: 0 } } },
  };
}

async function clientsOf(admin: AdminClient, perSecond: number): Promise<{ keys: Keys; ceilings: Ceiling[] }> {
  const key = async (tenant: string, settings: object = {}): Promise<{ tenant: string; key: string }> => {
    await admin.done('POST', 'tenants', { id: tenant });
    return { tenant, key: String((await admin.done('POST', 'keys', { tenant, name: 'chaos', ...settings }))['key']) };
  };
  const perMinute = Math.max(5, Math.round(perSecond * 60 * LIMITED_SHARE * ADMITTED));
  const [limited, narrow, poor] = [
    await key('limited', { limits: { requests_per_minute: perMinute } }),
    await key('narrow', { limits: { concurrency: PLACES } }),
    await key('poor', { budgets: [{ usd: `0.00${String(BUDGET_NANO_USD / 1_000_000n)}`, period: 'total' }] }),
  ];
  const free: Record<string, string> = {};
  for (const tenant of FREE) free[tenant] = (await key(tenant)).key;
  const ceilings: Ceiling[] = [
    { tenant: limited.tenant, kind: 'requests', perMinute },
    { tenant: narrow.tenant, kind: 'places', atOnce: PLACES },
    { tenant: poor.tenant, kind: 'budget', nanoUsd: BUDGET_NANO_USD },
  ];
  return { keys: { free, limited, narrow, poor }, ceilings };
}
