/**
 * What becomes of more requests than a gateway can serve: docs/reliability.md. Finds its capacity in a closed loop, then offers 1, 2 and 3 times as much by the
 * clock, 30 % of it batch, and at last half of it.
 * `node --conditions=@deja/source bench/overload.ts [--smoke] [--write] [--built] [--workers N]`: two minutes, --smoke ten seconds. --write puts the table into
 * docs/reliability.md and draws docs/figures/overload.svg; --built spares the look whether the apps are built; --workers makes the gateway N processes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { testCluster, type TestCluster } from '@deja/testing';
import { buildIfChanged } from '../tools/build.ts';
import { startHelper, startWorker } from './added-latency/helper-process.ts';
import { usageOf, watchOthers } from './added-latency/processor-time.ts';
import { thisMachine } from './added-latency/report.ts';
import { MODEL } from './added-latency/work.ts';
import { figureOf } from './overload/figure.ts';
import { secondsOf, stepFigures } from './overload/figures.ts';
import { markdown, maximumOf, type Report } from './overload/report.ts';
import type { Result, Step, Target, Work } from './overload/work.ts';

const PAGE = new URL('../docs/reliability.md', import.meta.url);
const FIGURE = new URL('../docs/figures/overload.svg', import.meta.url);
const BEGIN = '<!-- overload:begin -->';
const END = '<!-- overload:end -->';
const BATCH_SHARE = 0.3;
const CALM_SHARE = 0.5;
const MEMORY_EVERY_MS = 500;

const FULL = { warmUpMs: 8000, clients: [64, 128, 256], closedMs: 5000, stepMs: 20_000, calmMs: 20_000 };
const SMOKE = { warmUpMs: 1000, clients: [64], closedMs: 1000, stepMs: 2000, calmMs: 2000 };

type Perform = (work: Work) => Promise<Result>;

const configuration = (providerPort: number): object => ({
  providers: { openai: { kind: 'openai', server: 'openai', base_url: `http://127.0.0.1:${providerPort}/v1`, credentials: [{ name: 'bench', value: 'bench-credential' }] } },
  models: [{ name: MODEL, deployments: [{ provider: 'openai', model: MODEL }] }],
  prices: { [MODEL]: { input_usd_per_million: 0.15, output_usd_per_million: 0.6 } },
  cache: { semantic: { enabled: false } },
});

/** The gateway's resident memory, MiB, looked at until `stop`. */
function watchMemory(cluster: TestCluster): { now(): number; stop(): number } {
  const now = (): number => usageOf([cluster.pid('gateway') ?? -1])[0]?.residentMiB ?? 0;
  let mostMiB = now();
  const timer = setInterval(() => (mostMiB = Math.max(mostMiB, now())), MEMORY_EVERY_MS);
  return {
    now,
    stop: () => {
      clearInterval(timer);
      return mostMiB;
    },
  };
}

async function capacity(target: Target, perform: Perform, { warmUpMs, clients, closedMs }: typeof FULL): Promise<Report['closed']> {
  await perform({ target, how: 'closed', clients: clients[0] ?? 1, durationMs: warmUpMs });
  const closed: Report['closed'] = [];
  for (const count of clients) {
    const { sent, elapsedMs } = await perform({ target, how: 'closed', clients: count, durationMs: closedMs });
    closed.push({ clients: count, perSecond: (sent.filter(({ status }) => status === 200).length * 1000) / elapsedMs });
  }
  return closed;
}

async function measure(cluster: TestCluster, perform: Perform, isSmoke: boolean): Promise<{ report: Omit<Report, 'workers'>; steps: Step[] }> {
  const effort = isSmoke ? SMOKE : FULL;
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const target = { port: Number(new URL(cluster.url).port), key: cluster.key };
  const othersShare = watchOthers();
  say('Looking for the capacity …');
  const closed = await capacity(target, perform, effort);
  const found = maximumOf({ closed, steps: [] });
  if (found === 0) throw new Error(`no request was answered with status 200; the cluster said last:\n${cluster.tail()}`);
  const step = (name: string, share: number, durationMs: number): Step => ({ name, perSecond: share * found, durationMs });
  const steps = [...[1, 2, 3].map((times) => step(`${times} × capacity`, times, effort.stepMs)), step('calm again', CALM_SHARE, effort.calmMs)];
  say(`About ${Math.round(found)} a second; now by the clock …`);
  const memory = watchMemory(cluster);
  const beforeMiB = memory.now();
  const { sent, latenessMs } = await perform({ target, how: 'open', steps, batchShare: BATCH_SHARE });
  const afterMiB = memory.now();
  const report = {
    at: new Date().toISOString(), isSmoke, machine: thisMachine(), closed, steps: stepFigures(steps, sent), seconds: secondsOf(steps, sent),
    memory: { beforeMiB, mostMiB: memory.stop(), afterMiB }, generatorLatenessMs: latenessMs, othersShare: othersShare(),
  };
  return { report, steps };
}

async function writeIntoPage(text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${fileURLToPath(PAGE)} has no place for figures, between "${BEGIN}" and "${END}"`);
  await writeFile(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${text}\n\n${page.slice(to)}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, write: { type: 'boolean', default: false }, built: { type: 'boolean', default: false }, workers: { type: 'string', default: '1' } } });
  if (!values.built) await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const provider = await startHelper(new URL('./overload/provider.ts', import.meta.url));
  const load = await startWorker<Work, Result>(new URL('./overload/load.ts', import.meta.url));
  let cluster: TestCluster | null = null;
  try {
    cluster = await testCluster({ config: configuration(Number(provider.said)), ownPostgres: true, env: { DEJA_OVERLOAD: 'on', DEJA_REDIS_DEADLINE_MS: '50', DEJA_GATEWAY_WORKERS: values.workers } });
    const { report, steps } = await measure(cluster, load.perform, values.smoke);
    const text = markdown({ ...report, workers: values.workers });
    process.stdout.write(`${text}\n`);
    if (values.write) {
      await writeIntoPage(text);
      await writeFile(FIGURE, figureOf(steps, report.seconds));
    }
  } finally {
    await cluster?.stop({ force: true });
    load.stop();
    provider.child.disconnect();
  }
}

await main();
