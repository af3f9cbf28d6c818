import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster, type AppName, type Cluster } from '@deja/launcher';
import { buildIfChanged } from '../../tools/build.ts';
import { startLoad, startProvider } from '../added-latency/helper-process.ts';
import type { Target } from '../added-latency/work.ts';

export interface BenchCluster {
  cluster: Cluster;
  gateway: Target;
  load: Awaited<ReturnType<typeof startLoad>>;
  /** Where the inspector of an app's process listens. */
  inspectorUrl: (app: AppName) => string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const configuration = (port: number): string => `
providers: { openai: { kind: openai, base_url: "http://127.0.0.1:${port}/v1", credentials: [{ name: bench, value: bench-credential }] } }
models: [{ name: "*", deployments: [{ provider: openai, model: "*" }] }]
limits: { per_key: { requests_per_minute: 100000000, tokens_per_minute: 1000000000000, requests_per_day: 1000000000, concurrency: 100000 } }
budgets: { per_key: [{ usd: 1000000, period: month, mode: hard }] }
cache: { exact: { ttl_s: 3600 } }
`;

/** Runs something against a cluster of one replica of each app, which is gone afterwards. @param bundles other builds of apps: what their Node is started with */
export async function withBenchCluster({ inspect, bundles = {} }: { inspect: boolean; bundles?: Partial<Record<AppName, string[]>> }, work: (bench: BenchCluster) => Promise<void>): Promise<void> {
  if (Object.keys(bundles).length === 0) await buildIfChanged({ root: ROOT, onStart: () => process.stderr.write('Building the apps …\n') });
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const provider = await startProvider();
  const load = await startLoad();
  const inspectors = new Map<string, string>();
  const said: string[] = [];
  let cluster: Cluster | null = null;
  try {
    const configPath = join(dataDir, 'deja.yaml');
    await writeFile(configPath, configuration(provider.port));
    const { PATH, HOME, TMPDIR, LANG } = process.env;
    cluster = await startCluster({
      dataDir, port: 0, opsPort: 0,
      program: (app) => ({ command: process.execPath, args: bundles[app] ?? [join(ROOT, 'apps', app, 'out', 'main.mjs')] }),
      env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: configPath, ...(inspect && { NODE_OPTIONS: '--inspect=127.0.0.1:0' }) },
      output: ({ from, text }) => {
        said.push(`${from} ${text}`);
        const url = /ws:\/\/\S+/.exec(text)?.[0];
        if (url !== undefined) inspectors.set(from, url);
      },
    });
    const inspectorUrl = (app: AppName): string => {
      const url = [...inspectors].find(([from]) => from.startsWith(app))?.[1];
      if (url === undefined) throw new Error(`${app} has no inspector; it said:\n${said.slice(-20).join('\n')}`);
      return url;
    };
    await work({ cluster, gateway: { port: Number(new URL(cluster.baseUrl).port), key: cluster.key }, load, inspectorUrl });
  } finally {
    load.stop();
    await cluster?.stop();
    provider.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
