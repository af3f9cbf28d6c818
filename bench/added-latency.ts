// What deja adds to a call of a provider, and what it can carry, beside others: docs/performance.md. `npm run bench [-- --smoke] [--peers a,b] [--only case,…]
// [--peer FILE] [--json FILE] [--write] [--built]`; `--built` spares the look whether the apps are built.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Cluster } from '@deja/launcher';
import { buildIfChanged } from '../tools/build.ts';
import { CASES, FULL, SMOKE, type Case } from './added-latency/cases.ts';
import type { Report } from './added-latency/figures.ts';
import { goalsOf } from './added-latency/goals.ts';
import { startLoad, startProvider } from './added-latency/helper-process.ts';
import { startDeja } from './added-latency/peers/deja.ts';
import { peerSchema, type Peer, type RunningPeer } from './added-latency/peers/peer.ts';
import { SHIPPED } from './added-latency/peers/shipped.ts';
import { startPeer } from './added-latency/peers/start-peer.ts';
import { watchOthers } from './added-latency/processor-time.ts';
import { thisMachine } from './added-latency/report.ts';
import { Rounds } from './added-latency/rounds.ts';
import { memoryOf } from './added-latency/spent.ts';
import { markdown, ratios } from './added-latency/tables.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const BEGIN = '<!-- figures: written by `npm run bench -- --write` -->';
const END = '<!-- end of figures -->';
const DEJA = 'deja';

interface Wishes {
  effort: Report['effort'];
  cases: Case[];
  withDeja: boolean;
  peers: Peer[];
  json: string | undefined;
  write: boolean;
  built: boolean;
}

async function wishes(): Promise<Wishes> {
  const { values } = parseArgs({
    options: {
      smoke: { type: 'boolean', default: false }, write: { type: 'boolean', default: false }, built: { type: 'boolean', default: false }, json: { type: 'string' },
      peers: { type: 'string' }, peer: { type: 'string', multiple: true, default: [] }, only: { type: 'string' },
    },
  });
  const own = await Promise.all(values.peer.map(async (file) => peerSchema.parse(JSON.parse(await readFile(file, 'utf8')))));
  const known = [...SHIPPED, ...own];
  // The smoke run needs no network: nothing is installed for it.
  const all = [...known.filter(({ packages }) => !values.smoke || packages === undefined).map(({ name }) => name), DEJA];
  const names = chosen(values.peers, [...known.map(({ name }) => name), DEJA], 'peer') ?? all;
  const effort = values.smoke ? SMOKE : FULL;
  const cases = chosen(values.only, CASES.map(({ name }) => name), 'case');
  return {
    effort, cases: CASES.filter(({ name }) => cases?.includes(name) ?? !effort.without.includes(name)), withDeja: names.includes(DEJA),
    peers: known.filter(({ name }) => names.includes(name)), json: values.json, write: values.write, built: values.built,
  };
}

/** The names of a list with commas; null without one. */
function chosen(list: string | undefined, known: readonly string[], what: string): string[] | null {
  if (list === undefined) return null;
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no ${what} "${unknown}": there are ${known.join(', ')}`);
  return names;
}

/** Everything that was started, in the order of the start; stopped in the opposite one. */
class Started {
  readonly leftOut: Report['leftOut'] = [];
  readonly peers: RunningPeer[] = [];
  private readonly stops: (() => unknown)[] = [];
  private cluster: Cluster | null = null;
  private stopping: Promise<void> | null = null;

  keep<T extends { stop(): unknown }>(one: T): T {
    this.stops.unshift(() => one.stop());
    return one;
  }

  /** A peer that cannot be had is told and left out; deja has to be there. */
  async startAll({ peers, withDeja }: Wishes, providerPort: number): Promise<void> {
    for (const peer of peers) {
      try {
        this.peers.push(this.keep(await startPeer(peer, providerPort)));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        process.stderr.write(`${peer.name} is left out: ${reason}\n`);
        this.leftOut.push({ name: peer.name, reason });
      }
    }
    if (withDeja) this.peers.push(this.keep(await startDeja(providerPort, (made) => (this.cluster = made))));
  }

  stop(): Promise<void> {
    this.stopping ??= (async () => {
      for (const stop of this.stops) await stop();
      await this.cluster?.stop(); // one that was interrupted while it started
    })();
    return this.stopping;
  }
}

async function measure({ effort, cases }: Wishes, started: Started, rounds: Rounds): Promise<Report> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  say('Warming up …');
  const atRest = new Map(started.peers.map((peer) => [peer.name, memoryOf(peer)]));
  await rounds.prepare(cases);
  const othersShare = watchOthers();
  const results = await rounds.measure(cases, ({ name }, round) => say(`round ${round + 1} of ${effort.rounds}: ${name}`));
  return {
    at: new Date().toISOString(), effort, machine: thisMachine(), othersShare: othersShare(), leftOut: started.leftOut, cases: results,
    peers: started.peers.map((peer) => ({ name: peer.name, does: peer.does, atRest: atRest.get(peer.name) ?? memoryOf(peer), afterAll: memoryOf(peer) })),
  };
}

async function writeIntoPage(text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place for figures, between "${BEGIN}" and "${END}"`);
  await writeFile(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${text}\n${page.slice(to)}`);
}

async function main(): Promise<void> {
  const wanted = await wishes().catch((error: unknown): never => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
  if (!wanted.built) await buildIfChanged({ root: ROOT, onStart: () => process.stderr.write('Building the apps …\n') });
  const started = new Started();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void started.stop().then(() => process.exit(1)));
  try {
    const provider = started.keep(await startProvider());
    const load = started.keep(await startLoad());
    await started.startAll(wanted, provider.port);
    const report = await measure(wanted, started, new Rounds(load, provider.port, started.peers, wanted.effort)).catch((error: unknown) => {
      for (const peer of started.peers) process.stderr.write(`${peer.name} said last:\n${peer.lastWords()}\n`);
      throw error;
    });
    const goals = goalsOf(report);
    const text = markdown(report, goals);
    if (wanted.json !== undefined) await writeFile(wanted.json, `${JSON.stringify({ ...report, goals }, null, 2)}\n`);
    if (wanted.write) await writeIntoPage(text);
    process.stdout.write(wanted.effort.name === 'smoke' ? ratios(report) : `${text}\n${ratios(report)}`);
  } finally {
    await started.stop();
  }
}

await main();
