// Two builds of an app in turns: `node --conditions=@deja/source bench/compare.ts --old DIR --new DIR [--app gateway] [--old-flags '…'] [--new-flags '…'] [whole|repeat|similar|stream] [--clients 16] [--rounds 8] [--seconds 3]`.
// A cluster each; one is under load while the other is idle. Prints the medians of the rounds: requests a second, p50, and processor time of each process, µs a request; and how often the new one took less.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { APPS, type AppName } from '@deja/launcher';
import { usageOf } from './added-latency/processor-time.ts';
import { KINDS, type Kind } from './added-latency/work.ts';
import { withBenchCluster, type BenchCluster } from './profile/bench-cluster.ts';

const WARM_UP_MS = 5000;
/** Until the others have written what was left for later. */
const PAUSE_MS = 700;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    old: { type: 'string' }, new: { type: 'string' }, app: { type: 'string', default: 'gateway' }, 'old-flags': { type: 'string', default: '' }, 'new-flags': { type: 'string', default: '' },
    clients: { type: 'string', default: '16' }, rounds: { type: 'string', default: '8' }, seconds: { type: 'string', default: '3' },
  },
});
const kind = KINDS.find((one): one is Kind => one === positionals[0]) ?? 'whole';
const app = APPS.find((one): one is AppName => one === values.app) ?? 'gateway';
const connections = Number(values.clients);

/** Medians are shown of each. */
type Round = Record<string, number>;

function seconds(bench: BenchCluster): Record<string, number> {
  const { cluster } = bench;
  const pids: [string, number][] = [...cluster.apps.map(({ app: name, pid }): [string, number] => [name, pid ?? -1]), ['redis', cluster.pid('redis') ?? -1], ['postgres', cluster.pid('postgres') ?? -1]];
  const usage = usageOf(pids.map(([, pid]) => pid));
  return Object.fromEntries(pids.map(([name], i) => [name, usage[i]?.seconds ?? 0]));
}

async function round(bench: BenchCluster, durationMs: number): Promise<Round> {
  const expectCache = kind === 'repeat' ? 'HIT-EXACT' : 'MISS';
  const before = seconds(bench);
  const { durationsMs, elapsedMs } = await bench.load.perform({ target: bench.gateway, kind, connections, durationMs, expectCache });
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const after = seconds(bench);
  const n = durationsMs.length;
  const spent = Object.fromEntries(Object.entries(after).map(([name, s]) => [name, ((s - (before[name] ?? 0)) * 1e6) / n]));
  const { residentMiB = 0 } = usageOf([bench.cluster.pid(app) ?? -1])[0] ?? {};
  return { 'resident MiB': residentMiB, 'requests/s': (n * 1000) / elapsedMs, 'p50 ms': median(durationsMs), 'p99 ms': durationsMs.toSorted((a, b) => a - b)[Math.floor(n * 0.99)] ?? 0, ...spent };
}

const median = (all: number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

const flags = (text: string): string[] => text.split(' ').filter((flag) => flag !== '');
const bundle = (folder: string | undefined): string[] => [join(folder ?? join('apps', app, 'out'), 'main.mjs')];

await withBenchCluster({ inspect: false, bundles: { [app]: [...flags(values['old-flags']), ...bundle(values.old)] } }, (older) =>
  withBenchCluster({ inspect: false, bundles: { [app]: [...flags(values['new-flags']), ...bundle(values.new)] } }, async (newer) => {
    const rounds: { old: Round; new: Round }[] = [];
    for (const bench of [older, newer]) {
      if (kind === 'repeat') await bench.load.perform({ target: bench.gateway, kind, connections: 1, count: 1, expectCache: 'MISS' });
      await round(bench, WARM_UP_MS);
    }
    for (let n = 0; n < Number(values.rounds); n++) {
      const one: { old?: Round; new?: Round } = {};
      for (const side of n % 2 === 0 ? (['old', 'new'] as const) : (['new', 'old'] as const)) one[side] = await round(side === 'old' ? older : newer, Number(values.seconds) * 1000);
      rounds.push(one as { old: Round; new: Round });
    }
    process.stdout.write(`${app}, ${kind}, ${connections} clients, ${rounds.length} rounds\n${''.padEnd(16)}${'old'.padStart(10)}${'new'.padStart(10)}${'new/old'.padStart(9)}  less in\n`);
    for (const name of Object.keys(rounds[0]?.old ?? {})) {
      const of = (side: 'old' | 'new'): number => median(rounds.map((one) => one[side][name] ?? 0));
      const ratio = median(rounds.map((one) => (one.new[name] ?? 0) / (one.old[name] ?? 1)));
      const less = rounds.filter((one) => (one.new[name] ?? 0) < (one.old[name] ?? 0)).length;
      process.stdout.write(`${name.padEnd(16)}${of('old').toFixed(2).padStart(10)}${of('new').toFixed(2).padStart(10)}${ratio.toFixed(3).padStart(9)}  ${less} of ${rounds.length}\n`);
    }
  }),
);
