import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { eventually as until, startRedisCluster, type RedisCluster, type RedisProcess } from '@deja/testing';
import type { Redis } from 'ioredis';
import { defineScript, isCluster, isUp, nodesOf, onReady, openPipeline, openRedis, queueScript, runScript, scriptReply, whenReady, type OutageLogger, type RedisClient } from '../src/index.ts';

const ADD = defineScript(`return redis.call('INCRBY', KEYS[1], ARGV[1])`);
/** Some on each master. */
const KEYS = ['{a}:n', '{b}:n', '{c}:n', '{d}:n', '{e}:n', '{f}:n', '{g}:n', '{h}:n'];

let cluster: RedisCluster;
let lines: string[] = [];
const opened: RedisClient[] = [];

const logger = (): OutageLogger => {
  lines = [];
  return { info: (fields, message) => void lines.push(`${message} ${portIn(fields)}`), warn: (fields, message) => void lines.push(`${message} ${portIn(fields)}`) };
};
const portIn = (fields: object): string => String((fields as { server?: string }).server?.split(':')[1]);

function open(role: 'commands' | 'blocking', log: OutageLogger = logger()): RedisClient {
  const client = openRedis(cluster.url, { role, name: `test-${role}`, logger: log, commandTimeoutMs: 5000 });
  opened.push(client);
  return client;
}

/** Connected to every master. */
async function connected(log?: OutageLogger): Promise<RedisClient> {
  const client = open('commands', log);
  await whenReady(client, 5000);
  await until('every master is connected', () => nodesOf(client).length === 3 && nodesOf(client).every(isUp));
  return client;
}

function subscribed(): Redis {
  const subscriber = openRedis(cluster.url, { role: 'subscriber', name: 'test-subscriber', logger: logger() });
  opened.push(subscriber);
  return subscriber;
}

/** One key for each master. */
async function keysByMaster(): Promise<Map<RedisProcess, string>> {
  const keys = new Map<RedisProcess, string>();
  for (const key of KEYS) keys.set(await cluster.masterOf(key), key);
  expect(keys.size).toBe(3);
  return keys;
}

/** Only for a slot without keys: they stay where they are. */
async function giveSlotOf(key: string, to: RedisProcess): Promise<void> {
  const slot = Number(await to.client.cluster('KEYSLOT', key));
  const id = String(await to.client.call('CLUSTER', 'MYID'));
  for (const { client } of [to, ...cluster.masters]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', id);
}

async function closed(): Promise<void> {
  for (const client of opened.splice(0)) client.disconnect();
}

beforeAll(async () => {
  cluster = await startRedisCluster();
});
beforeEach(() => cluster.flush());
afterEach(closed);
afterAll(() => cluster.stop());

test('commands sent before the cluster is known wait for it, and go to the master of their key', async () => {
  const client = open('commands');
  expect(isCluster(client)).toBe(true);
  await Promise.all(KEYS.map((key, i) => client.set(key, i)));
  expect(await Promise.all(KEYS.map((key) => client.get(key)))).toEqual(KEYS.map((_, i) => String(i)));
  for (const key of KEYS) expect(await (await cluster.masterOf(key)).client.exists(key)).toBe(1);
});

test('a pipeline answers in its order, whichever masters its commands went to, and an error is that of its command', async () => {
  const client = await connected();
  const pipeline = openPipeline(client);
  for (const [i, key] of KEYS.entries()) pipeline.set(key, i).get(key);
  const replies = await pipeline.hset(KEYS[0]!, 'field', 'x').getBuffer(KEYS[1]!).exec();
  expect(replies?.slice(0, -2)).toEqual(KEYS.flatMap((_, i) => [[null, 'OK'], [null, String(i)]]));
  expect(replies?.at(-2)?.[0]?.message).toMatch(/^WRONGTYPE/);
  expect(replies?.at(-1)).toEqual([null, Buffer.from('1')]);
});

test('a pipeline without commands answers nothing', async () => {
  expect(await openPipeline(await connected()).exec()).toEqual([]);
});

test('a script that no master knows runs once on each, by itself and in a pipeline', async () => {
  const client = await connected();
  const calls = KEYS.map((key) => ({ script: ADD, keys: [key], args: [5] }));
  expect(await Promise.all(calls.map(({ script, keys, args }) => runScript(client, script, keys, args)))).toEqual(KEYS.map(() => 5));
  for (const { client: node } of cluster.masters) await node.script('FLUSH');
  const pipeline = openPipeline(client);
  for (const call of calls) queueScript(pipeline, call);
  const replies = (await pipeline.exec()) ?? [];
  expect(await Promise.all(calls.map((call, i) => scriptReply(client, replies[i], call)))).toEqual(KEYS.map(() => 10));
});

test('commands follow their slot to another master, alone and in a pipeline', async () => {
  const client = await connected();
  const [home, other] = [await cluster.masterOf('{a}:n'), [...(await keysByMaster()).entries()]];
  const [guest, guestKey] = other.find(([master]) => master !== home)!;
  await client.get('{a}:n');
  await giveSlotOf('{a}:n', guest);
  try {
    const replies = await openPipeline(client).set('{a}:n', 'x').set(guestKey, 'y').get('{a}:n').exec();
    expect(replies).toEqual([[null, 'OK'], [null, 'OK'], [null, 'x']]);
    expect(await client.get('{a}:n')).toBe('x');
    expect(await guest.client.get('{a}:n')).toBe('x');
    await client.del('{a}:n');
  } finally {
    await giveSlotOf('{a}:n', home);
  }
});

test('commands for a master that is away fail at once, those for the others go on, and both are logged once', async () => {
  const log = logger();
  const client = await connected(log);
  const keys = await keysByMaster();
  const [dead, key] = [...keys][1]!;
  await dead.kill();
  await until('the loss is noticed', () => nodesOf(client).filter(isUp).length === 2);
  const settled = await Promise.allSettled([...keys.values()].map((one) => client.set(one, 'x')));
  expect(settled.map(({ status }) => status)).toEqual([...keys.values()].map((one) => (one === key ? 'rejected' : 'fulfilled')));
  const replies = await openPipeline(client).get(key).get([...keys.values()][0]!).exec();
  expect(replies?.[0]?.[0]).toBeInstanceOf(Error);
  expect(replies?.[1]).toEqual([null, 'x']);
  expect(nodesOf(client).filter(isUp)).toHaveLength(2); // none of them waited for it
  expect(isUp(client)).toBe(true);
  await Promise.all(Array.from({ length: 30 }, () => client.publish('news', 'x'))); // goes to a node that is there

  await cluster.restart(dead);
  await until('the master is connected again', () => nodesOf(client).filter(isUp).length === 3);
  expect(await client.set(key, 'y')).toBe('OK');
  await until('recovery is logged', () => lines.length === 2);
  expect(lines).toEqual([`Redis is unreachable ${dead.port}`, `Redis is back ${dead.port}`]);
});

test('a cluster that is away altogether is found again, and says so to those who wait', async () => {
  const client = await connected();
  let times = 0;
  onReady(client, () => void times++);
  for (const master of cluster.masters) await master.kill();
  await until('the loss is noticed', () => !isUp(client));
  await expect(client.get('{a}:n')).rejects.toThrow('no connection to Redis');
  await cluster.restart(...cluster.masters);
  await whenReady(client, 10_000);
  await until('every key is served', () => Promise.all(KEYS.map((key) => client.get(key))).then(() => true, () => false));
  expect(times).toBeGreaterThan(0);
});

test('a client of a cluster that nobody answers for fails its commands, and finds the cluster later', async () => {
  for (const master of cluster.masters) await master.kill();
  const client = open('commands');
  await expect(client.get('{a}:n')).rejects.toThrow('no connection to Redis');
  await expect(whenReady(client, 20)).rejects.toThrow('within 20 ms');
  await cluster.restart(...cluster.masters);
  await whenReady(client, 10_000);
  await until('keys are served', () => client.get('{a}:n').then((value) => value === null, () => false));
});

test('user and password of the first URL hold for every node', async () => {
  for (const { client } of cluster.masters) await client.config('SET', 'requirepass', 'p@ss');
  try {
    const url = cluster.url.replace('redis://', 'redis://:p%40ss@');
    const [client, subscriber] = [openRedis(url, { role: 'commands', name: 'test', logger: logger() }), openRedis(url, { role: 'subscriber', name: 'test', logger: logger() })];
    opened.push(client, subscriber);
    expect(await Promise.all(KEYS.map((key) => client.set(key, 'x')))).toEqual(KEYS.map(() => 'OK'));
    const heard: string[] = [];
    subscriber.on('message', (_channel: string, message: string) => heard.push(message));
    await subscriber.subscribe('news');
    await client.publish('news', 'hello');
    await until('the message is heard', () => heard.length === 1);
    await expect(open('commands').get(KEYS[0]!)).rejects.toThrow('no connection to Redis');
  } finally {
    for (const { client } of cluster.masters) await client.config('SET', 'requirepass', '');
  }
});

test('a blocking command outlives a restart of its master', async () => {
  const blocking = open('blocking');
  await whenReady(open('commands'), 5000);
  const popped = blocking.blpop('{a}:list', 0);
  const master = await cluster.masterOf('{a}:list');
  await until('the command waits in Redis', async () => (await master.client.info('clients')).includes('blocked_clients:1'));
  await master.kill();
  await cluster.restart(master);
  await until('an element is added', () => master.client.rpush('{a}:list', 'x').then(() => true, () => false));
  expect(await popped).toEqual(['{a}:list', 'x']);
});

test('a subscriber hears what is published anywhere, and again from another node when its own is gone', async () => {
  const subscriber = subscribed();
  const heard = new Set<string>();
  subscriber.on('message', (_channel: string, message: string) => heard.add(message));
  await subscriber.subscribe('news');
  for (const { client, port } of cluster.masters) await client.publish('news', `from ${port}`);
  await until('all messages are heard', () => heard.size === 3);

  const breaks: string[] = [];
  subscriber.on('close', () => breaks.push('close'));
  subscriber.on('ready', () => breaks.push('ready'));
  const own = cluster.masters.find(({ port }) => port === subscriber.options.port)!;
  await own.kill();
  const other = cluster.masters.find((master) => master !== own)!;
  await until('a message is heard again', async () => {
    await other.client.publish('news', 'after');
    return heard.has('after');
  });
  expect(subscriber.options.port).not.toBe(own.port);
  expect(breaks).toEqual(['close', 'ready']); // whoever listens knows that messages may have been missed
  await cluster.restart(own);
});
