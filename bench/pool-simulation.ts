/**
 * How much of its providers' quotas a pool uses, and how often it runs into a 429: two gateways, one router and then three; models of one deployment
 * with five credentials, whose quotas nobody but the provider knows, and 1.3 times as many requests as these allow.
 * `node --conditions=@deja/source bench/pool-simulation.ts [windows] [seconds] [style…]`: so many windows are measured (20), of so many seconds each
 * (4), and which styles (all), at the same time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { answer, fakeProvider, testCluster, type FakeProvider, type FakeQuotaRule, type TestCluster } from '@deja/testing';
import { buildIfChanged } from '../tools/build.ts';
import { watchOthers } from './added-latency/processor-time.ts';
import { thisMachine } from './added-latency/report.ts';

/** Requests in a window, of each credential. */
const HIDDEN = [10, 20, 30, 40, 50];
const TOTAL = HIDDEN.reduce((sum, quota) => sum + quota, 0);
const DEMAND = 1.3;
const USUAL_MS = 20;
const WARM_UP_WINDOWS = 3;

const STYLES: Record<string, Omit<FakeQuotaRule, 'requests' | 'windowMs'>> = {
  'windows, told': { style: 'window', headers: true },
  'buckets, told': { style: 'bucket', headers: true },
  'windows, not told': { style: 'window', headers: false },
  'buckets, not told': { style: 'bucket', headers: false },
};

const modelOf = (style: string): string => style.replaceAll(/\W+/g, '-');
const credentialOf = (style: string, n: number): string => `sk-${modelOf(style)}-${n}`;

interface Counts {
  admitted: number;
  refused: number;
}

/** The provider's own counts of every style at the beginning of each window. */
class Windows {
  provider: FakeProvider | null = null;
  readonly counts = new Map<number, Map<string, Counts>>();
  private readonly styles: string[];
  private readonly windowMs: number;
  private last: number;

  constructor(styles: string[], windowMs: number) {
    this.styles = styles;
    this.windowMs = windowMs;
    this.last = Math.floor(Date.now() / windowMs);
  }

  /** The provider's clock: it is asked for before anything is counted. */
  readonly now = (): number => {
    const nowMs = Date.now();
    const window = Math.floor(nowMs / this.windowMs);
    while (this.last < window) this.counts.set((this.last += 1), this.countsNow());
    return nowMs;
  };

  private countsNow(): Map<string, Counts> {
    const sum = (style: string, what: keyof Counts): number => HIDDEN.reduce((all, _, n) => all + (this.provider?.quota.counts(credentialOf(style, n))[what] ?? 0), 0);
    return new Map(this.styles.map((style) => [style, { admitted: sum(style, 'admitted'), refused: sum(style, 'refused') }]));
  }
}

interface Sent {
  style: string;
  atMs: number;
  /** Status, and the error's code. */
  outcome: string;
  retryAfterMs: number | null;
}

async function send(cluster: TestCluster, style: string, n: number): Promise<Sent> {
  const atMs = Date.now();
  const response = await fetch(`${cluster.urls[n % cluster.urls.length]}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${cluster.key}`, 'x-cache-mode': 'off' },
    body: JSON.stringify({ model: modelOf(style), messages: [{ role: 'user', content: `How are you, number ${n}?` }] }),
    signal: AbortSignal.timeout(30_000),
  });
  const { error } = (await response.json()) as { error?: { code: string } };
  const told = response.headers.get('retry-after-ms') ?? response.headers.get('retry-after');
  return { style, atMs, outcome: error === undefined ? String(response.status) : `${response.status} ${error.code}`, retryAfterMs: told === null ? null : Number(told) };
}

/** Sends at a steady pace, however long answers take, until that time. */
async function load(cluster: TestCluster, style: string, windowMs: number, untilMs: number): Promise<Sent[]> {
  const sent: Promise<Sent>[] = [];
  for (const fromMs = Date.now(); Date.now() < untilMs; await delay(5)) {
    while (sent.length < ((Date.now() - fromMs) / windowMs) * DEMAND * TOTAL) sent.push(send(cluster, style, sent.length));
  }
  return Promise.all(sent);
}

interface Row {
  style: string;
  routers: number;
  /** Calls admitted, as a share of the whole quota, and 429s as a share of all calls, in what is measured. */
  used: number;
  refused: number;
  calls: number;
  /** 429s before that, while nothing was known. */
  refusedBefore: number;
  byWindow: (Counts & { wanted: number })[];
  outcomes: Record<string, number>;
}

async function measure(routers: number, styles: string[], windows: number, windowMs: number): Promise<Row[]> {
  const rules = Object.fromEntries(styles.flatMap((style) => HIDDEN.map((requests, n): [string, FakeQuotaRule] => [credentialOf(style, n), { ...STYLES[style], requests, windowMs } as FakeQuotaRule])));
  const counted = new Windows(styles, windowMs);
  const provider = await fakeProvider({ otherwise: answer('Fine.', { beforeFirstByteMs: USUAL_MS }), quotas: { rules, now: counted.now } });
  counted.provider = provider;
  const providers = styles.map((style) => {
    const credentials = HIDDEN.map((_, n) => ({ name: `c${n}`, value: credentialOf(style, n) }));
    return [modelOf(style), { kind: 'openai', server: 'openai', base_url: provider.url, credentials }];
  });
  const models = styles.map((style) => ({ name: modelOf(style), deployments: [{ provider: modelOf(style), model: 'm' }] }));
  const cluster = await testCluster({ config: { providers: Object.fromEntries(providers), models, timeouts: { connect_ms: 20_000 } }, scale: { gateway: 2, router: routers } }).catch(async (error: unknown) => {
    await provider.close();
    throw error;
  });
  try {
    const first = Math.floor(Date.now() / windowMs) + 1 + WARM_UP_WINDOWS;
    const sent = await Promise.all(styles.map((style) => load(cluster, style, windowMs, (first + windows) * windowMs + 100)));
    return styles.map((style, i) => rowOf({ style, routers }, counted.counts, { first, windows, windowMs }, sent[i] ?? []));
  } finally {
    await cluster.stop();
    await provider.close();
  }
}

interface Measured {
  /** Number of the first window, and how many. */
  first: number;
  windows: number;
  windowMs: number;
}

function rowOf({ style, routers }: Pick<Row, 'style' | 'routers'>, counts: Map<number, Map<string, Counts>>, { first, windows, windowMs }: Measured, sent: Sent[]): Row {
  const at = (window: number): Counts => counts.get(window)?.get(style) ?? { admitted: Number.NaN, refused: Number.NaN };
  const between = (from: number, until: number): Counts => ({ admitted: at(until).admitted - at(from).admitted, refused: at(until).refused - at(from).refused });
  const { admitted, refused } = between(first, first + windows);
  const byOutcome = Object.groupBy(sent, ({ outcome, retryAfterMs }) => (outcome === '200' || retryAfterMs !== null ? outcome : `${outcome} without retry-after`));
  return {
    style, routers, used: admitted / (windows * TOTAL), refused: refused / (admitted + refused), calls: admitted + refused, refusedBefore: at(first).refused,
    byWindow: Array.from({ length: windows }, (_, i) => ({ ...between(first + i, first + i + 1), wanted: sent.filter(({ atMs }) => Math.floor(atMs / windowMs) === first + i).length })),
    outcomes: Object.fromEntries(Object.entries(byOutcome).map(([outcome, all]) => [outcome, all?.length ?? 0])),
  };
}

function markdown(rows: Row[], windows: number, windowMs: number, othersShare: number): string {
  const machine = thisMachine();
  const percent = (share: number): string => (share * 100).toFixed(1);
  const line = (row: Row): string =>
    `| ${[row.style, row.routers, row.calls, `**${percent(row.used)}**`, `**${percent(row.refused)}**`, row.refusedBefore, percent(Math.min(...row.byWindow.map(({ admitted }) => admitted / TOTAL)))].join(' | ')} |`;
  return `
${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, Node ${machine.node}, of which other programs took ${(othersShare * 100).toFixed(0)} % meanwhile. Two gateways; five credentials
with ${HIDDEN.join(', ')} requests in ${windowMs / 1000} s, ${DEMAND} times as many wanted, answered after ${USUAL_MS} ms; ${windows} windows after ${WARM_UP_WINDOWS} of warm-up.

| quotas | routers | calls | **used, %** | **429s, % of calls** | 429s before | least used in one window, % |
|---|--:|--:|--:|--:|--:|--:|
${rows.map(line).join('\n')}
`;
}

async function main(): Promise<void> {
  const [windows = '20', seconds = '4', ...names] = process.argv.slice(2);
  const windowMs = Number(seconds) * 1000;
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const othersShare = watchOthers();
  const styles = Object.keys(STYLES).filter((style) => names.length === 0 || names.includes(style));
  const rows: Row[] = [];
  for (const routers of [1, 3]) {
    process.stderr.write(`${routers} routers …\n`);
    rows.push(...(await measure(routers, styles, Number(windows), windowMs)));
  }
  for (const { style, byWindow, outcomes } of rows) {
    process.stderr.write(`${style}: ${JSON.stringify(outcomes)}; wanted, admitted and refused by window: ${byWindow.map(({ wanted, admitted, refused }) => `${wanted}/${admitted}/${refused}`).join(' ')}\n`);
  }
  process.stdout.write(markdown(rows, Number(windows), windowMs, othersShare()));
}

await main();
