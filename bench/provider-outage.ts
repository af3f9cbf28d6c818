/**
 * What clients notice of a provider that fails: two gateways and two routers, one model on two providers, 50 requests a second, half of them
 * streamed; provider `a` fails in one way after another while `b` stays well. `node --conditions=@deja/source bench/provider-outage.ts [seconds] [kind…]`:
 * so many seconds a failure lasts (15), and which (all).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { answer, fakeProvider, hang, raw, status, testCluster, type FakeProvider, type ScriptStep, type Step, type TestCluster } from '@deja/testing';
import { buildIfChanged } from '../tools/build.ts';
import { watchOthers } from './added-latency/processor-time.ts';
import { percentiles, thisMachine, type Percentiles } from './added-latency/report.ts';

const REQUESTS_PER_S = 50;
/** How long a healthy provider takes to answer. */
const USUAL_MS = 50;
const SLOW_MS = 2000;
const BEFORE_MS = 5000;
const BACK_DEADLINE_MS = 120_000;
/** Within a second a deployment in rotation gets half of 50 calls; one that is out gets probes, one at a time from each gateway. */
const MOST_PROBES_PER_S = 4;
const FEWEST_CALLS_PER_S = 15;

interface Outage {
  name: string;
  strategy?: 'weighted' | 'least_latency';
  /** What the provider does meanwhile; null: it is gone. */
  does: ScriptStep | null;
  /** Deadline of a call: 1 s unless given. */
  deadlineMs?: number;
}

const TEXT = 'Fine, thank you.';
const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_767_225_600, model: 'bench', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const STREAMED = `${chunk({ role: 'assistant', content: TEXT }, null)}${chunk({}, 'stop')}data: [DONE]\n\n`;

/** Streams go out in one piece: one that breaks off after its first content cannot be saved, and is not what is measured here. */
const answers = (afterMs: number): ScriptStep => ({ body }): Step => {
  const isStream = (body as { stream?: boolean }).stream === true;
  const step = isStream ? raw({ contentType: 'text/event-stream', body: STREAMED }) : answer(TEXT);
  return { ...step, beforeFirstByteMs: afterMs };
};
const well = answers(USUAL_MS);

function everyTenthFails(): ScriptStep {
  let calls = 0;
  return (request) => (++calls % 10 === 0 ? status(500) : typeof well === 'function' ? well(request) : well);
}

const OUTAGES: Outage[] = [
  { name: 'kill', does: null },
  { name: 'hang', does: hang() },
  { name: '500s', does: status(500) },
  { name: '10-percent-errors', does: everyTenthFails() },
  { name: 'slow', does: answers(SLOW_MS), deadlineMs: 10_000 },
  { name: 'slow-least-latency', strategy: 'least_latency', does: answers(SLOW_MS), deadlineMs: 10_000 },
];

/** A provider that can be killed and comes back at its old address. */
class MortalProvider {
  readonly url: string;
  private provider: FakeProvider;

  private constructor(provider: FakeProvider) {
    this.provider = provider;
    this.url = provider.url;
  }

  static async start(): Promise<MortalProvider> {
    return new MortalProvider(await fakeProvider({ otherwise: well }));
  }

  async begin({ does }: Outage): Promise<void> {
    if (does === null) await this.provider.close();
    else this.provider.otherwise(does);
  }

  async end({ does }: Outage): Promise<void> {
    if (does === null) this.provider = await fakeProvider({ otherwise: well, port: Number(new URL(this.url).port) });
    else this.provider.otherwise(well);
  }

  close(): Promise<void> {
    return this.provider.close();
  }
}

interface Sent {
  atMs: number;
  tookMs: number;
  /** null: it was answered in full. */
  failure: string | null;
}

async function send(cluster: TestCluster, model: string, n: number): Promise<Sent> {
  const [atMs, from] = [Date.now(), performance.now()];
  const stream = n % 4 > 1;
  const done = (failure: string | null): Sent => ({ atMs, tookMs: performance.now() - from, failure });
  try {
    const response = await fetch(`${cluster.urls[n % 2]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}`, 'x-cache-mode': 'off' },
      body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: `How are you, number ${n}?` }] }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (response.status !== 200) return done(`${response.status} ${text}`);
    return done(text.includes(TEXT) && (!stream || text.trimEnd().endsWith('[DONE]')) ? null : `not complete: ${text}`);
  } catch (error) {
    return done(String(error));
  }
}

/** Sends at a steady pace, however long answers take, until `during` is over; resolves when all are answered. */
async function load(cluster: TestCluster, model: string, during: () => Promise<void>): Promise<Sent[]> {
  const sent: Promise<Sent>[] = [];
  const from = performance.now();
  let isOver = false;
  const sending = (async () => {
    for (; !isOver; await delay(5)) {
      while (sent.length < ((performance.now() - from) / 1000) * REQUESTS_PER_S) sent.push(send(cluster, model, sent.length));
    }
  })();
  await during();
  isOver = true;
  await sending;
  return Promise.all(sent);
}

interface Called {
  [column: string]: unknown;
  atMs: number;
  provider: string;
  outcome: string;
}

/** Calls of providers, as the ledger has them. */
const callsOf = (cluster: TestCluster, model: string): Promise<Called[]> =>
  cluster.sql<Called>('select (extract(epoch from started_at) * 1000)::float8 as "atMs", provider, outcome from usage.attempts where model = $1 order by started_at', [model]);

/** The first moment from `fromMs` on after which `a` was called so often within a second; null: none before `untilMs`. */
function firstSecond(calls: Called[], fromMs: number, untilMs: number, fits: (count: number) => boolean): number | null {
  const times = calls.filter(({ provider }) => provider === 'a').map(({ atMs }) => atMs);
  for (let atMs = fromMs; atMs + 1000 <= untilMs; atMs += 10) {
    if (fits(times.filter((time) => time >= atMs && time < atMs + 1000).length)) return atMs - fromMs;
  }
  return null;
}

interface Row {
  outage: string;
  requests: number;
  failed: Sent[];
  outMs: number | null;
  backMs: number | null;
  before: Percentiles;
  during: Percentiles;
  /** Calls of `a` while it failed, and those of them that came to nothing. */
  called: number;
  wasted: number;
}

async function measure(cluster: TestCluster, a: MortalProvider, b: MortalProvider, outage: Outage, lastsMs: number): Promise<Row> {
  const { name, deadlineMs = 1000, strategy = 'weighted' } = outage;
  const provider = ({ url }: MortalProvider): object => ({ kind: 'openai', server: 'openai', base_url: url, credentials: [{ name: 'one', value: 'bench-one' }, { name: 'two', value: 'bench-two' }] });
  await cluster.configure({
    providers: { a: provider(a), b: provider(b) },
    models: [{ name, strategy, deployments: [{ provider: 'a', model: name }, { provider: 'b', model: name }] }],
    timeouts: { first_byte_ms: deadlineMs, unary_ms: deadlineMs },
  });
  while ((await Promise.all([0, 1].map((n) => send(cluster, name, n)))).some(({ failure }) => failure !== null)) await delay(100);
  let [beganMs, endedMs] = [0, 0];
  const sent = await load(cluster, name, async () => {
    await delay(BEFORE_MS);
    beganMs = Date.now();
    await a.begin(outage);
    await delay(lastsMs);
    await a.end(outage);
    endedMs = Date.now();
    const isBack = (calls: Called[]): boolean => firstSecond(calls, endedMs, Date.now(), (count) => count >= FEWEST_CALLS_PER_S) !== null;
    while (Date.now() < endedMs + BACK_DEADLINE_MS && !isBack(await callsOf(cluster, name))) await delay(1000);
  });
  await delay(2000); // the ledger is a moment behind
  const calls = await callsOf(cluster, name);
  const ofA = calls.filter(({ provider: of, atMs }) => of === 'a' && atMs >= beganMs && atMs < endedMs);
  const took = (fromMs: number, untilMs: number): Percentiles => percentiles(sent.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).map(({ tookMs }) => tookMs));
  const outMs = firstSecond(calls, beganMs, endedMs, (count) => count <= MOST_PROBES_PER_S);
  return {
    outage: name,
    requests: sent.length,
    failed: sent.filter(({ failure }) => failure !== null),
    outMs,
    backMs: outMs === null ? null : firstSecond(calls, endedMs, Date.now(), (count) => count >= FEWEST_CALLS_PER_S),
    before: took(0, beganMs - 500), // later ones may have met it
    during: took(beganMs, endedMs),
    called: ofA.length,
    wasted: ofA.filter(({ outcome }) => outcome !== 'ok').length,
  };
}

function markdown(rows: Row[], lastsMs: number, othersShare: number): string {
  const machine = thisMachine();
  const seconds = (ms: number | null, otherwise: string): string => (ms === null ? otherwise : (ms / 1000).toFixed(2));
  const ms = (value: number): string => value.toFixed(0);
  const line = ({ outage, requests, failed, outMs, backMs, before, during, called, wasted }: Row): string =>
    `| ${[outage, requests, `**${failed.length}**`, seconds(outMs, 'stays'), outMs === null ? '' : seconds(backMs, `not within ${BACK_DEADLINE_MS / 1000}`), ms(before.p50), ms(before.p99), ms(during.p50), ms(during.p99), `**${ms(during.p50 - before.p50)}**`, `**${ms(during.p99 - before.p99)}**`, called, wasted].join(' | ')} |`;
  return `
${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, Node ${machine.node}, of which other programs took ${(othersShare * 100).toFixed(0)} % meanwhile. Two gateways, two routers; ${REQUESTS_PER_S} requests/s, half of them streamed; both
providers answer after ${USUAL_MS} ms with two credentials each; each failure lasts ${lastsMs / 1000} s; calls have 1 s, against a slow provider (${SLOW_MS / 1000} s) 10 s.

| \`a\` | requests | **failed** | out after, s | back after, s | before p50, ms | p99 | during p50 | p99 | **added p50** | **p99** | calls of \`a\` meanwhile | wasted |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
${rows.map(line).join('\n')}
`;
}

async function main(): Promise<void> {
  const [seconds = '15', ...names] = process.argv.slice(2);
  const lastsMs = Number(seconds) * 1000;
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const [a, b] = [await MortalProvider.start(), await MortalProvider.start()];
  let cluster: TestCluster | null = null;
  try {
    cluster = await testCluster({ provider: a, scale: { gateway: 2, router: 2 } });
    await measure(cluster, a, b, { name: 'warm-up', does: well }, 1000);
    const othersShare = watchOthers();
    const rows: Row[] = [];
    for (const outage of OUTAGES.filter(({ name }) => names.length === 0 || names.includes(name))) {
      process.stderr.write(`${outage.name} …\n`);
      const row = await measure(cluster, a, b, outage, lastsMs);
      for (const { failure, atMs } of row.failed.slice(0, 3)) process.stderr.write(`  failed at ${new Date(atMs).toISOString()}: ${failure}\n`);
      rows.push(row);
    }
    process.stdout.write(markdown(rows, lastsMs, othersShare()));
  } finally {
    await cluster?.stop();
    await Promise.all([a.close(), b.close()]);
  }
}

await main();
