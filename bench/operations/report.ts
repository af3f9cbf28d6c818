import type { Kind } from './requests.ts';
import { MEMBERS, type Counters, type Work } from './counters.ts';
import { thisMachine } from '../added-latency/report.ts';

/** Less often than this a request is noise. */
const LEAST = 0.01;

export interface Found {
  requests: number;
  clients: number;
  /** At rest. */
  perSecond: Counters;
  /** A request. */
  found: ReadonlyMap<Kind, Counters>;
}

/** Markdown: a table of sums, one of Redis commands, one of statements. */
export function report({ requests, clients, perSecond, found }: Found): string {
  const { cpu, cores, memory_gib: memory, platform, node } = thisMachine();
  const columns = [...found.values(), perSecond];
  const head = (what: string): string => `| ${what} | ${[...found.keys()].join(' | ')} | at rest, a second |\n|---|${columns.map(() => '--:').join('|')}|`;
  const row = (name: string, of: (one: Counters) => number): string => `| ${name} | ${columns.map((one) => figure(of(one))).join(' | ')} |`;
  const sums = [
    row('Redis commands', (one) => sum(one.commands, ({ calls }) => calls)),
    row('bytes to Redis', (one) => one.redisInBytes), row('bytes from Redis', (one) => one.redisOutBytes),
    ...namesIn(columns.map(({ messages }) => messages)).map((name) => row(name, (one) => one.messages.get(name) ?? 0)),
    row('transactions', (one) => one.transactions), row('statements', (one) => sum(one.statements, ({ calls }) => calls)),
    row('rows written or read', (one) => sum(one.statements, ({ rows }) => rows)), row('bytes of write-ahead log', (one) => one.walBytes),
    ...MEMBERS.map((name) => row(`CPU of ${name}, µs`, (one) => one.cpuUs.get(name) ?? 0)),
    row('CPU of all, µs', (one) => [...one.cpuUs.values()].reduce((all, us) => all + us, 0)),
  ];
  return [
    `${cpu}, ${cores} cores, ${memory} GiB, ${platform}, Node ${node}; ${requests} requests of each kind, ${clients} at once; one replica of each app.`, '',
    head('of one request'), ...sums, '',
    ...detail('Redis command: calls, and µs of Redis', head, columns.map(({ commands }) => commands)), '',
    ...detail('statement: calls, and µs of Postgres', head, columns.map(({ statements }) => statements)), '',
  ].join('\n');
}

function detail(what: string, head: (what: string) => string, columns: Map<string, Work>[]): string[] {
  const cell = (work: Work | undefined): string => (work === undefined || work.calls < LEAST ? '' : `${figure(work.calls)}, ${figure(work.us)}`);
  const names = [...new Set(columns.flatMap((one) => [...one.keys()]))].filter((name) => columns.some((one) => (one.get(name)?.calls ?? 0) >= LEAST));
  const most = (name: string): number => Math.max(...columns.slice(0, -1).map((one) => one.get(name)?.us ?? 0));
  return [head(what), ...names.toSorted((a, b) => most(b) - most(a)).map((name) => `| \`${name}\` | ${columns.map((one) => cell(one.get(name))).join(' | ')} |`)];
}

const namesIn = (columns: Map<string, number>[]): string[] => [...new Set(columns.flatMap((one) => [...one].filter(([, n]) => n >= LEAST).map(([name]) => name)))];
const sum = (all: Map<string, Work>, of: (work: Work) => number): number => [...all.values()].reduce((total, work) => total + of(work), 0);
/** Three digits are what a run can say. */
const figure = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));
