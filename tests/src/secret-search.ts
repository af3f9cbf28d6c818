import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { TestCluster } from '@deja/testing';
import type { Answers } from './admin-client.ts';
import { eventually } from './client.ts';
import type { TraceCollector } from './trace-collector.ts';

/** What must be nowhere, by what it is. */
export type Planted = Record<string, string>;

/** A piece of a secret that says nothing yet: operators see the last four characters. */
const TELLING_CHARS = 12;
/** Of three neighbouring bytes, base64 makes characters of its own wherever they begin. */
const BASE64_GROUP = 3;

/** Every form in which this text could lie somewhere: itself, what begins or ends like it, and its bytes in base64 and hex, also in the middle of other bytes. */
export function formsOf(secret: string): string[] {
  const whole = Buffer.from(secret);
  const bytes = [whole, ...(/^[A-Za-z0-9+/]{43}=$/.test(secret) ? [Buffer.from(secret, 'base64')] : [])];
  return [
    ...(secret.length >= 2 * TELLING_CHARS ? [secret.slice(0, -TELLING_CHARS), secret.slice(-TELLING_CHARS)] : [secret]),
    ...bytes.flatMap((of) => [of.toString('hex'), of.toString('hex').toUpperCase(), ...base64Forms(of)]),
    ...bytes.slice(1).map((of) => of.toString('latin1')),
  ];
}

/** In base64, bytes look differently by where in a group of three they begin. What neighbours have a part in is left out. */
function base64Forms(bytes: Buffer): string[] {
  return Array.from({ length: BASE64_GROUP }, (_, before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64').replace(/=+$/, '');
    return text.slice(before === 0 ? 0 : before + 1, text.length - ((before + bytes.length) % BASE64_GROUP === 0 ? 0 : 1));
  }).flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** Which of them is in which place, as `postgres: admin key`. */
export function secretsIn(places: Record<string, string>, planted: Planted): string[] {
  const forms = Object.entries(planted).map(([name, secret]) => [name, [...new Set(formsOf(secret))]] as const);
  return Object.entries(places).flatMap(([place, text]) => forms.flatMap(([name, texts]) => (texts.some((form) => text.includes(form)) ? [`${place}: ${name}`] : [])));
}

/** All keys with their values, each once as the commands read it and once as Redis writes it to disk. */
export async function redisDump(cluster: TestCluster): Promise<string> {
  const redis = new Redis(cluster.redisUrl);
  try {
    const keys = await redis.keys('*');
    const values = await Promise.all(keys.map(async (key) => [await readable(redis, key), (await redis.dumpBuffer(key))?.toString('latin1')]));
    return [...keys, ...values.flat()].join('\n');
  } finally {
    redis.disconnect();
  }
}

async function readable(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case 'string': return (await redis.getBuffer(key))?.toString('latin1') ?? '';
    case 'hash': return JSON.stringify(await redis.hgetall(key));
    case 'list': return JSON.stringify(await redis.lrange(key, 0, -1));
    case 'set': return JSON.stringify(await redis.smembers(key));
    case 'zset': return JSON.stringify(await redis.zrange(key, '0', '-1'));
    case 'stream': return JSON.stringify(await redis.xrange(key, '-', '+'));
    default: return '';
  }
}

/** Every table and view that is not Postgres's own, as SQL has its name. */
export async function tablesOf(cluster: TestCluster, schema?: string): Promise<string[]> {
  const tables = await cluster.sql<{ name: string }>(
    "select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') and ($1::text is null or table_schema = $1) order by 1",
    [schema ?? null],
  );
  return tables.map(({ name }) => name);
}

/** Every row of every table, views and all schemas that are not Postgres's own; bytes in hex. */
export async function postgresDump(cluster: TestCluster, schema?: string): Promise<string> {
  const rows: string[] = [];
  for (const name of await tablesOf(cluster, schema)) rows.push(name, ...(await cluster.sql<{ row: string }>(`select t::text as row from ${name} t order by 1`)).map(({ row }) => row));
  return rows.join('\n');
}

/** Every command that Redis takes from now on, a line each, as MONITOR writes them. */
export class RedisTraffic {
  readonly commands: string[] = [];
  private readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.commands.push(line));
    socket.on('error', () => lines.close()); // the Redis of a test may go
  }

  /** By a connection of its own: ioredis loses count where a command comes in with the answer to MONITOR. */
  static async of(cluster: TestCluster): Promise<RedisTraffic> {
    const { hostname, port } = new URL(cluster.redisUrl);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const traffic = new RedisTraffic(socket);
    socket.write('MONITOR\r\n');
    await eventually('MONITOR answered', () => traffic.commands.length > 0);
    return traffic;
  }

  stop(): void {
    this.socket.destroy();
  }
}

export interface Sources {
  traffic?: RedisTraffic;
  collector?: TraceCollector;
  answers?: Answers;
}

/** Everything a cluster has said and kept, by place. Without `postgres` its tables are left out. */
export async function placesOf(cluster: TestCluster, { traffic, collector, answers }: Sources, { postgres = true }: { postgres?: boolean } = {}): Promise<Record<string, string>> {
  const metrics = await Promise.all(cluster.apps.map(async ({ app, n }) => (await fetch(`${cluster.opsUrl(app, n)}/metrics`)).text()));
  const health = await Promise.all(cluster.apps.flatMap(({ app, n }) => ['healthz', 'readyz'].map(async (path) => (await fetch(`${cluster.opsUrl(app, n)}/${path}`)).text())));
  return {
    redis: await redisDump(cluster),
    ...(postgres && { postgres: await postgresDump(cluster) }),
    log: cluster.lines.map((line) => line.text).join('\n'),
    metrics: [...metrics, ...health].join('\n'),
    ...(traffic && { 'redis traffic': traffic.commands.join('\n') }),
    ...(collector && { spans: JSON.stringify(collector.spans) }),
    ...(answers && { answers: answers.texts.join('\n') }),
  };
}

/** What is written by people, or for them alone (mode 0600). */
const MEANT_TO_HOLD_SECRETS = /^(deja\.yaml$|secrets\/|run\/)/;

/** Everything on disk: the files of Postgres, its log of what was written included, those of Redis, and what apps leave behind. */
export async function filesDump(cluster: TestCluster): Promise<string> {
  const redis = new Redis(cluster.redisUrl);
  await Promise.all([cluster.sql('checkpoint'), redis.save()]);
  redis.disconnect();
  const entries = await readdir(cluster.dataDir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).filter((path) => !MEANT_TO_HOLD_SECRETS.test(relative(cluster.dataDir, path)));
  const texts = await Promise.all(paths.map((path) => readFile(path, 'latin1').catch(() => ''))); // one may go at any moment
  return texts.join('\n');
}
