// What deja adds to a call of a provider, and what it can carry: see bench/README.md. `npm run bench [-- --smoke] [--json]`
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster, type Cluster } from '@deja/launcher';
import { buildIfChanged } from '../tools/build.ts';
import { startLoad, startProvider } from './added-latency/helper-process.ts';
import { processorSeconds, watchOthers } from './added-latency/processor-time.ts';
import { markdown, percentiles, thisMachine, type LatencyRow, type Report, type ThroughputRow } from './added-latency/report.ts';
import type { Kind, Result, Target } from './added-latency/work.ts';

interface Effort {
  warmUpMs: number;
  rounds: number;
  perRound: number;
  closedLoopMs: number;
  workers: number[];
}
const FULL: Effort = { warmUpMs: 5000, rounds: 20, perRound: 100, closedLoopMs: 6000, workers: [16, 64] };
const SMOKE: Effort = { warmUpMs: 1500, rounds: 5, perRound: 40, closedLoopMs: 1500, workers: [16, 64] };

const IDLE_WINDOW_MS = 500;
const IDLE_SECONDS = 0.02;
const IDLE_DEADLINE_MS = 30_000;

type Load = Awaited<ReturnType<typeof startLoad>>;

/** Interleaved: the machine's mood of the moment falls on both sides alike. */
async function latency(load: Load, what: string, kind: Kind, sides: { direct: Target; gateway: Target }, expectCache: string, measure: 'durationsMs' | 'firstByteMs', effort: Effort): Promise<LatencyRow> {
  const direct: number[] = [];
  const gateway: number[] = [];
  for (let round = 0; round < effort.rounds; round++) {
    const ask = (target: Target, expected: string | null): Promise<Result> => load.perform({ target, kind, connections: 1, count: effort.perRound, expectCache: expected });
    direct.push(...(await ask(sides.direct, null))[measure]);
    gateway.push(...(await ask(sides.gateway, expectCache))[measure]);
  }
  const [without, through] = [percentiles(direct), percentiles(gateway)];
  return { what, requests: gateway.length, direct: without, gateway: through, added: { p50: through.p50 - without.p50, p99: through.p99 - without.p99 } };
}

async function throughput(load: Load, cluster: Cluster | null, what: string, kind: Kind, target: Target, expectCache: string | null, workers: number, effort: Effort): Promise<ThroughputRow> {
  const before = cluster === null ? null : await whenIdle(cluster);
  const result = await load.perform({ target, kind, connections: workers, durationMs: effort.closedLoopMs, expectCache });
  const requests = result.durationsMs.length;
  // What the requests cause is paid for later, too: the ledger, the semantic index.
  const after = cluster === null ? null : await whenIdle(cluster);
  const perRequestUs = (seconds: 'gateway' | 'all'): number | null => (before === null || after === null ? null : ((after[seconds] - before[seconds]) * 1e6) / requests);
  return { what, workers, requests, perSecond: (requests * 1000) / result.elapsedMs, ...percentiles(result.durationsMs), gatewayCpuUs: perRequestUs('gateway'), allCpuUs: perRequestUs('all') };
}

interface Spent {
  /** Processor seconds. */
  gateway: number;
  all: number;
}

function spent(cluster: Cluster): Spent {
  const pids = [...cluster.apps.map(({ pid }) => pid), cluster.pid('redis'), cluster.pid('postgres')].filter((pid) => pid !== null);
  return { gateway: processorSeconds(cluster.pid('gateway') ?? 0).own, all: pids.reduce((sum, pid) => sum + processorSeconds(pid).tree, 0) };
}

async function whenIdle(cluster: Cluster): Promise<Spent> {
  const deadline = Date.now() + IDLE_DEADLINE_MS;
  for (let before = spent(cluster); ; ) {
    await delay(IDLE_WINDOW_MS);
    const now = spent(cluster);
    if (now.all - before.all <= IDLE_SECONDS || Date.now() > deadline) return now;
    before = now;
  }
}

async function measure(cluster: Cluster, load: Load, providerPort: number, effort: Effort): Promise<Report> {
  const direct = { port: providerPort, key: 'bench' };
  const gateway = { port: Number(new URL(cluster.baseUrl).port), key: cluster.key };
  const sides = { direct, gateway };
  for (const kind of ['whole', 'stream'] as const) {
    for (const target of [direct, gateway]) await load.perform({ target, kind, connections: 16, durationMs: effort.warmUpMs / 4, expectCache: target === gateway ? 'MISS' : null });
  }
  await load.perform({ target: gateway, kind: 'repeat', connections: 1, count: 1, expectCache: 'MISS' });
  await load.perform({ target: gateway, kind: 'similar', connections: 1, count: 20, expectCache: 'MISS' });
  await whenIdle(cluster);
  const othersShare = watchOthers();
  const latencies = [
    await latency(load, 'whole answer', 'whole', sides, 'MISS', 'durationsMs', effort),
    await latency(load, 'whole answer, after a semantic look-up', 'similar', sides, 'MISS', 'durationsMs', effort),
    await latency(load, 'first chunk of a stream', 'paced', sides, 'MISS', 'firstByteMs', { ...effort, rounds: effort.rounds / 2 }),
    await latency(load, 'exact hit', 'repeat', sides, 'HIT-EXACT', 'durationsMs', effort),
  ];
  const rows: ThroughputRow[] = [];
  for (const workers of effort.workers) {
    rows.push(await throughput(load, null, 'direct', 'whole', direct, null, workers, effort));
    rows.push(await throughput(load, cluster, 'whole answer', 'whole', gateway, 'MISS', workers, effort));
    rows.push(await throughput(load, cluster, 'exact hit', 'repeat', gateway, 'HIT-EXACT', workers, effort));
  }
  rows.push(await throughput(load, cluster, 'stream of 18 events', 'stream', gateway, 'MISS', 16, effort));
  return { machine: thisMachine(), others_share: othersShare(), latency: latencies, throughput: rows };
}

const configuration = (port: number): string => `
providers: { openai: { kind: openai, base_url: "http://127.0.0.1:${port}/v1", credentials: [{ name: bench, value: bench-credential }] } }
models: [{ name: "*", deployments: [{ provider: openai, model: "*" }] }]
limits: { per_key: { requests_per_minute: 100000000, tokens_per_minute: 1000000000000 } }
cache: { exact: { ttl_s: 3600 } }
`;

async function main(): Promise<void> {
  const flags = new Set(process.argv.slice(2));
  const root = fileURLToPath(new URL('..', import.meta.url));
  await buildIfChanged({ root, onStart: () => process.stderr.write('Building the apps …\n') });
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const provider = await startProvider();
  const load = await startLoad();
  let cluster: Cluster | null = null;
  const stop = async (): Promise<void> => {
    load.stop();
    await cluster?.stop();
    provider.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop().then(() => process.exit(1)));
  try {
    const configPath = join(dataDir, 'deja.yaml');
    await writeFile(configPath, configuration(provider.port));
    const { PATH, HOME, TMPDIR, LANG } = process.env;
    const said: string[] = [];
    cluster = await startCluster(
      { dataDir, port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: configPath }, output: ({ from, text, level }) => void (level === 'debug' || said.push(`${from} ${text}`)) },
      { onMade: (made) => void (cluster = made) },
    );
    const report = await measure(cluster, load, provider.port, flags.has('--smoke') ? SMOKE : FULL).catch((error: unknown) => {
      process.stderr.write(`${said.slice(-20).join('\n')}\n`);
      throw error;
    });
    process.stdout.write(flags.has('--json') ? `${JSON.stringify(report, null, 2)}\n` : markdown(report));
  } finally {
    await stop();
  }
}

await main();
