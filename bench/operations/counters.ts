import type { Cluster, MemberName } from '@deja/launcher';
import type { Redis } from 'ioredis';
import type { Client } from 'pg';
import { processorSeconds } from '../added-latency/processor-time.ts';

export const MEMBERS = ['gateway', 'router', 'semantic-cache', 'usage-worker', 'redis', 'postgres'] as const satisfies readonly MemberName[];
const SERVICES = ['router', 'semantic-cache', 'usage-worker'] as const;

/** Of one kind of statement, or of one command, since the server began. */
export interface Work {
  calls: number;
  /** Of the server's time. */
  us: number;
  rows: number;
  walBytes: number;
}

/** What has been done in a cluster since it was started. */
export interface Counters {
  atMs: number;
  /** Processor time of each member with its children, µs. */
  cpuUs: Map<MemberName, number>;
  /** By Redis command; what a script calls is counted under its own name too. */
  commands: Map<string, Work>;
  /** By verb and table. */
  statements: Map<string, Work>;
  /** Messages of the bus and jobs, by what they are. */
  messages: Map<string, number>;
  redisInBytes: number;
  redisOutBytes: number;
  transactions: number;
}

/** Marks statements of this program, which are not to be counted. */
export const OWN = '/* counts */';

const STATEMENTS = `select ${OWN} query, calls, rows, total_exec_time * 1000 as us, wal_bytes from pg_stat_statements where query not like '%${OWN}%'`;
const TRANSACTIONS = `select ${OWN} sum(xact_commit) as transactions from pg_stat_database`;

export async function countersOf(cluster: Cluster, redis: Redis, postgres: Client): Promise<Counters> {
  const [stats, commandStats, statements, totals, messages] = await Promise.all([
    redis.info('stats'), redis.info('commandstats'),
    postgres.query<{ query: string; calls: string; rows: string; us: number; wal_bytes: string }>(STATEMENTS),
    postgres.query<{ transactions: string }>(TRANSACTIONS),
    messagesSent(redis),
  ]);
  const byKind = new Map<string, Work>();
  for (const { query, calls, rows, us, wal_bytes: wal } of statements.rows) {
    const known = byKind.get(kindOf(query)) ?? { calls: 0, us: 0, rows: 0, walBytes: 0 };
    byKind.set(kindOf(query), { calls: known.calls + Number(calls), us: known.us + us, rows: known.rows + Number(rows), walBytes: known.walBytes + Number(wal) });
  }
  return {
    atMs: performance.now(),
    cpuUs: new Map(MEMBERS.map((name) => [name, processorSeconds(cluster.pid(name) ?? 0).tree * 1e6])),
    commands: commandsIn(commandStats),
    statements: byKind,
    messages,
    redisInBytes: figureIn(stats, 'total_net_input_bytes'),
    redisOutBytes: figureIn(stats, 'total_net_output_bytes'),
    transactions: Number(totals.rows[0]?.transactions),
  };
}

const figureIn = (info: string, name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);

function commandsIn(info: string): Map<string, Work> {
  const lines = info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm);
  return new Map(Array.from(lines, ([, name = '', calls, us]) => [name, { calls: Number(calls), us: Number(us), rows: 0, walBytes: 0 }]));
}

/** Streams count what was ever added to them, and a queue its jobs. */
async function messagesSent(redis: Redis): Promise<Map<string, number>> {
  const added = async (key: string): Promise<number> => {
    const said = (await redis.call('XINFO', 'STREAM', key).catch(() => [])) as unknown[]; // nothing was ever sent
    return Number(said[said.indexOf('entries-added') + 1] ?? 0);
  };
  const jobs = async (queue: string): Promise<number> => Number((await redis.get(`${queue}:id`)) ?? 0);
  const counted: [string, Promise<number>][] = [
    ...SERVICES.map((service): [string, Promise<number>] => [`calls of ${service}`, added(`deja:rpc:{${service}}`)]),
    ...SERVICES.map((service): [string, Promise<number>] => [`events for ${service}`, added(`deja:events:{${service}}`)]),
    ['entries of the semantic log', added('deja:cache:{log}')],
    ['usage jobs', jobs('{deja:queue}:usage')],
    ['capture jobs', jobs('{deja:captures}:captures')],
  ];
  return new Map(await Promise.all(counted.map(async ([name, count]): Promise<[string, number]> => [name, await count])));
}

/** `insert operations`, `commit`: enough to tell who asked. Postgres counts the same statement on the three tables of sums as one. */
function kindOf(query: string): string {
  const text = query.toLowerCase().replaceAll('"', '').replace(/\s+/g, ' ').trim();
  const verb = /\b(insert|update|delete|select|lock|begin|commit)\b/.exec(text)?.[1] ?? text.slice(0, 40);
  const table = /\b(?:into|from|update|table|join) (?:usage\.|router\.)([a-z_]+)/.exec(text)?.[1]?.replace(/^rollup_.*/, 'sums');
  return table === undefined ? verb : `${verb} ${table}`;
}

const sub = (a: Work, b: Work | undefined): Work => ({ calls: a.calls - (b?.calls ?? 0), us: a.us - (b?.us ?? 0), rows: a.rows - (b?.rows ?? 0), walBytes: a.walBytes - (b?.walBytes ?? 0) });

/** What was done between two looks. */
export function between(before: Counters, after: Counters): Counters {
  const work = (a: Map<string, Work>, b: Map<string, Work>): Map<string, Work> => new Map([...a].map(([name, one]) => [name, sub(one, b.get(name))]));
  const sums = <K>(a: Map<K, number>, b: Map<K, number>): Map<K, number> => new Map([...a].map(([name, one]) => [name, one - (b.get(name) ?? 0)]));
  return {
    atMs: after.atMs - before.atMs,
    cpuUs: sums(after.cpuUs, before.cpuUs), commands: work(after.commands, before.commands), statements: work(after.statements, before.statements), messages: sums(after.messages, before.messages),
    redisInBytes: after.redisInBytes - before.redisInBytes, redisOutBytes: after.redisOutBytes - before.redisOutBytes,
    transactions: after.transactions - before.transactions,
  };
}

/** All of it times `factor`. */
export function scaled(counted: Counters, factor: number): Counters {
  const work = (all: Map<string, Work>): Map<string, Work> =>
    new Map([...all].map(([name, { calls, us, rows, walBytes }]) => [name, { calls: calls * factor, us: us * factor, rows: rows * factor, walBytes: walBytes * factor }]));
  const sums = <K>(all: Map<K, number>): Map<K, number> => new Map([...all].map(([name, one]) => [name, one * factor]));
  return {
    atMs: counted.atMs * factor,
    cpuUs: sums(counted.cpuUs), commands: work(counted.commands), statements: work(counted.statements), messages: sums(counted.messages),
    redisInBytes: counted.redisInBytes * factor, redisOutBytes: counted.redisOutBytes * factor, transactions: counted.transactions * factor,
  };
}
