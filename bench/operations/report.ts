import type { Kind } from './requests.ts';
import { MEMBERS, type Counters, type Work } from './counters.ts';
import { thisMachine } from '../added-latency/report.ts';

/** A process that computes for more than this share of its time keeps requests waiting. */
const BUSY = 0.7;
const RATES = [1000, 10_000, 100_000, 1_000_000];
const DAY_S = 86_400;

/** Less often than this a request is noise. */
const LEAST = 0.01;

export interface Found {
  requests: number;
  clients: number;
  /** At rest. */
  perSecond: Counters;
  found: ReadonlyMap<Kind, FoundKind>;
}

export interface FoundKind {
  /** As fast as these clients went. */
  rate: number;
  aRequest: Counters;
}

export interface Report {
  /** What a request comes to, and what so many a second do. */
  sums: string;
  /** Redis commands and statements, by name. */
  details: string;
}

/** Both are Markdown. */
export function report({ requests, clients, perSecond, found }: Found): Report {
  const { cpu, cores, memory_gib: memory, platform, node } = thisMachine();
  const columns = [...Array.from(found.values(), ({ aRequest }) => aRequest), perSecond];
  const head = (what: string): string => `| ${what} | ${[...found.keys()].join(' | ')} | at rest, a second |\n|---|${columns.map(() => '--:').join('|')}|`;
  const row = (name: string, of: (one: Counters) => number): string => `| ${name} | ${columns.map((one) => figure(of(one))).join(' | ')} |`;
  const sums = [
    `| *at, requests a second* | ${Array.from(found.values(), ({ rate }) => rate.toFixed(0)).join(' | ')} | |`,
    row('Redis commands', (one) => sum(one.commands, ({ calls }) => calls)),
    row('bytes to Redis', (one) => one.redisInBytes), row('bytes from Redis', (one) => one.redisOutBytes),
    ...namesIn(columns.map(({ messages }) => messages)).map((name) => row(name, (one) => one.messages.get(name) ?? 0)),
    row('transactions', (one) => one.transactions), row('statements', (one) => sum(one.statements, ({ calls }) => calls)),
    row('rows written or read', (one) => sum(one.statements, ({ rows }) => rows)), row('bytes of write-ahead log', (one) => sum(one.statements, ({ walBytes }) => walBytes)),
    ...MEMBERS.map((name) => row(`CPU of ${name}, µs`, (one) => one.cpuUs.get(name) ?? 0)),
    row('CPU of all, µs', (one) => [...one.cpuUs.values()].reduce((all, us) => all + us, 0)),
  ];
  const machine = `${cpu}, ${cores} cores, ${memory} GiB, ${platform}, Node ${node}; ${requests} requests of each kind, ${clients} at once; one replica of each app.`;
  return {
    sums: [machine, '', head('of one request'), ...sums, '', ...Array.from(found, ([kind, { aRequest }]) => (SHOWN.has(kind) ? [...needs(kind, aRequest), ''] : [])).flat()].join('\n'),
    details: [
      ...detail('Redis command: calls, and µs of Redis', head, columns.map(({ commands }) => commands)), '',
      ...detail('statement: calls, and µs of Postgres', head, columns.map(({ statements }) => statements)), '',
    ].join('\n'),
  };
}

const SHOWN: ReadonlySet<Kind> = new Set(['miss', 'exact hit']);

/** What each rate takes, if a request costs what it cost here. Cores of one kind of process that are busy for 70 % of the time, and what goes over networks and to disks. */
function needs(kind: Kind, one: Counters): string[] {
  const row = (name: string, of: (rate: number) => number): string => `| ${name} | ${RATES.map((rate) => count(of(rate))).join(' | ')} |`;
  return [
    `| requests a second, each as *${kind}* | ${RATES.map((rate) => rate.toLocaleString('en')).join(' | ')} |`, `|---|${RATES.map(() => '--:').join('|')}|`,
    ...MEMBERS.map((name) => row(`cores of ${name}`, (rate) => (Math.max(0, one.cpuUs.get(name) ?? 0) * rate) / 1e6 / BUSY)),
    row('MB/s to Redis', (rate) => (one.redisInBytes * rate) / 1e6), row('MB/s from Redis', (rate) => (one.redisOutBytes * rate) / 1e6),
    row('rows a second, with attempts, bodies and sums', (rate) => writtenRows(one) * rate),
    row('MB/s of write-ahead log', (rate) => (sum(one.statements, ({ walBytes }) => walBytes) * rate) / 1e6),
    row('GB of write-ahead log a day', (rate) => (sum(one.statements, ({ walBytes }) => walBytes) * rate * DAY_S) / 1e9),
  ];
}

const writtenRows = ({ statements }: Counters): number => [...statements].filter(([name]) => name.startsWith('insert')).reduce((rows, [, work]) => rows + work.rows, 0);

function detail(what: string, head: (what: string) => string, columns: Map<string, Work>[]): string[] {
  const cell = (work: Work | undefined): string => (work === undefined || work.calls < LEAST ? '' : `${figure(work.calls)}, ${figure(work.us)}`);
  const names = [...new Set(columns.flatMap((one) => [...one.keys()]))].filter((name) => columns.some((one) => (one.get(name)?.calls ?? 0) >= LEAST));
  const most = (name: string): number => Math.max(...columns.slice(0, -1).map((one) => one.get(name)?.us ?? 0));
  return [head(what), ...names.toSorted((a, b) => most(b) - most(a)).map((name) => `| \`${name}\` | ${columns.map((one) => cell(one.get(name))).join(' | ')} |`)];
}

const namesIn = (columns: Map<string, number>[]): string[] => [...new Set(columns.flatMap((one) => [...one].filter(([, n]) => n >= LEAST).map(([name]) => name)))];
const sum = (all: Map<string, Work>, of: (work: Work) => number): number => [...all.values()].reduce((total, work) => total + of(work), 0);
const count = (value: number): string => (value === 0 ? '0' : value >= 10 ? Math.round(value).toLocaleString('en') : value.toPrecision(2));
/** Three digits are what a run can say. */
const figure = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));
