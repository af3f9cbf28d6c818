/**
 * Whether memory stays flat: `node --conditions=@deja/source bench/memory.ts [requests] [streams] [--gateway FILE] [--flags='…'] [--env NAME=VALUE …] [--samples]` (1,000,000 and 500).
 * Misses, hits, look-ups that find nothing and streams through one gateway, while so many streams that last half a minute are always open. Prints each app at
 * rest, at its most under load and afterwards, and by how much the gateway still grew in the last quarter. Linux. --gateway is another build of the gateway, --flags
 * are Node's for it in place of those it always has (`--flags=` for none), --env is for all apps, --samples prints all that was looked at.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { appProgram, startCluster, type AppName, type AppProgram, type Cluster, type MemberName } from '@deja/launcher';
import { buildIfChanged } from '../tools/build.ts';
import { startLoad, startProvider, type Load } from './added-latency/helper-process.ts';
import { processorSeconds } from './added-latency/processor-time.ts';
import { thisMachine } from './added-latency/report.ts';
import type { Kind, Target } from './added-latency/work.ts';
import { HeldStreams } from './memory/held-streams.ts';
import { heapMiB, lastQuarter, rssMiB, type Sample } from './memory/samples.ts';
import { slowProvider } from './memory/slow-provider.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MEMBERS: MemberName[] = ['gateway', 'router', 'semantic-cache', 'usage-worker', 'redis'];
const REST_MS = 10_000;
const AFTER_MS = 30_000;
const CLIENTS = 16;
const ROUND = 1000;
/** Of each thousand requests. */
const MIX: Partial<Record<Kind, number>> = { whole: 600, repeat: 200, similar: 100, stream: 100 };

interface Wishes {
  requests: number;
  streams: number;
}

const configuration = (port: number, slowPort: number): object => ({
  providers: {
    fast: { kind: 'openai', base_url: `http://127.0.0.1:${port}/v1`, credentials: [{ name: 'bench', value: 'bench-credential' }] },
    slow: { kind: 'openai', base_url: `http://127.0.0.1:${slowPort}/v1`, credentials: [{ name: 'bench', value: 'bench-credential' }] },
  },
  models: [
    { name: 'held', deployments: [{ provider: 'slow', model: 'held' }] },
    { name: '*', deployments: [{ provider: 'fast', model: '*' }] },
  ],
  limits: { per_key: { requests_per_minute: 100_000_000, tokens_per_minute: 1_000_000_000_000, requests_per_day: 1_000_000_000, concurrency: 100_000 } },
  budgets: { per_key: [{ usd: 1_000_000, period: 'month', mode: 'hard' }] },
  // Short, so that Redis does not hold every answer of a run; the gateway does not know the difference.
  cache: { exact: { ttl_s: 60 }, semantic: { ttl_s: 60, audit: { share: 0 } } },
});

const memoryOf = (cluster: Cluster): number[] => MEMBERS.map((name) => rssMiB(cluster.pid(name) ?? 0));

/** Rounds of the mix until as many requests were answered; looks after each. */
async function underLoad(cluster: Cluster, load: Load, target: Target, requests: number): Promise<{ most: number[]; samples: Sample[] }> {
  const { opsPort } = cluster.apps.find(({ app }) => app === 'gateway') ?? { opsPort: 0 };
  const samples: Sample[] = [];
  let most = memoryOf(cluster);
  for (let answered = 0; answered < requests; ) {
    for (const [kind, count] of Object.entries(MIX) as [Kind, number][]) await load.perform({ target, kind, connections: CLIENTS, count });
    answered += ROUND;
    const now = memoryOf(cluster);
    most = most.map((known, at) => Math.max(known, now[at] ?? 0));
    samples.push({ requests: answered, rssMiB: now[0] ?? Number.NaN, heapMiB: await heapMiB(opsPort) });
    if (answered % (ROUND * 20) === 0) process.stderr.write(`${answered} requests: gateway ${now[0]?.toFixed(0)} MiB\n`);
  }
  return { most, samples };
}

async function measure(cluster: Cluster, load: Load, wishes: Wishes): Promise<string[]> {
  const target = { port: Number(new URL(cluster.baseUrl).port), key: cluster.key };
  const pid = cluster.pid('gateway') ?? 0;
  await delay(REST_MS);
  const rest = memoryOf(cluster);
  const held = new HeldStreams(target);
  await held.start(wishes.streams);
  const withStreams = memoryOf(cluster);
  const before = processorSeconds(pid).own;
  const { most, samples } = await underLoad(cluster, load, target, wishes.requests);
  const cpuUs = ((processorSeconds(pid).own - before) * 1e6) / wishes.requests;
  const open = held.open;
  held.close();
  await delay(AFTER_MS);
  const after = memoryOf(cluster);
  const cell = (values: number[], at: number): string => (values[at] ?? Number.NaN).toFixed(0);
  const growth = (of: 'rssMiB' | 'heapMiB'): string => lastQuarter(samples, of).toFixed(1);
  return [
    JSON.stringify(thisMachine()),
    `${wishes.requests} requests over ${CLIENTS} connections, ${open} streams open at the end (${held.ended} had ended, ${held.failed} failed); gateway ${cpuUs.toFixed(0)} µs CPU a request, streams included`,
    '| RSS, MiB | at rest | with the streams | at most | afterwards |', '|---|--:|--:|--:|--:|',
    ...MEMBERS.map((name, at) => `| ${name} | ${cell(rest, at)} | ${cell(withStreams, at)} | ${cell(most, at)} | ${cell(after, at)} |`),
    `Last quarter, MiB for each 100,000 requests: RSS ${growth('rssMiB')}, heap ${growth('heapMiB')}.`,
    ...(process.argv.includes('--samples') ? samples.map(({ requests, rssMiB: rss, heapMiB: heap }) => `${requests}\t${rss.toFixed(1)}\t${heap.toFixed(1)}`) : []),
  ];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { gateway: { type: 'string' }, flags: { type: 'string' }, env: { type: 'string', multiple: true, default: [] }, samples: { type: 'boolean' } } });
  const [requests = 1_000_000, streams = 500] = positionals.map(Number);
  const program = (app: AppName): AppProgram => {
    const usual = appProgram(app, ROOT, app === 'gateway' ? values.gateway : undefined);
    if (app !== 'gateway' || values.flags === undefined) return usual;
    return { ...usual, args: [...values.flags.split(' ').filter((flag) => flag !== ''), ...usual.args.slice(-1)], env: {} };
  };
  if (values.gateway === undefined) await buildIfChanged({ root: ROOT, onStart: () => process.stderr.write('Building the apps …\n') });
  const dataDir = await mkdtemp(join(tmpdir(), 'deja-bench-'));
  const [provider, slow, load] = await Promise.all([startProvider(), slowProvider(), startLoad()]);
  let cluster: Cluster | null = null;
  try {
    const config = join(dataDir, 'deja.yaml');
    await writeFile(config, JSON.stringify(configuration(provider.port, slow.port)));
    const { PATH, HOME, TMPDIR, LANG } = process.env;
    const given = Object.fromEntries(values.env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]));
    cluster = await startCluster(
      {
        dataDir, port: 0, opsPort: 0, env: { PATH, HOME, TMPDIR, LANG, DEJA_CONFIG: config, ...given }, output: () => undefined,
        program,
      },
      { onMade: (made) => void (cluster = made) },
    );
    process.stdout.write(`${(await measure(cluster, load, { requests, streams })).join('\n')}\n`);
  } finally {
    load.stop();
    await cluster?.stop();
    provider.stop();
    slow.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

await main();
