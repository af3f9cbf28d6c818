import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { defineScript, isUp, openPipeline, openRedis, queueScript, runScript, scriptReply, whenReady, type OutageLogger, type RedisClient, type RedisRole } from '../src/index.ts';
import { eventually as until, RedisProcess } from '@deja/testing';

const ADD = defineScript(`return redis.call('INCRBY', KEYS[1], ARGV[1])`);

let server: RedisProcess;
let lines: string[] = [];
const opened: RedisClient[] = [];

function open(role: RedisRole, log: OutageLogger = logger()): RedisClient {
  const redis = openRedis(server.url, { role, name: `test-${role}`, logger: log, commandTimeoutMs: 5000 });
  opened.push(redis);
  return redis;
}

function logger(): OutageLogger {
  lines = [];
  return { info: (_, message) => void lines.push(message), warn: (_, message) => void lines.push(message) };
}

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterEach(async () => {
  for (const redis of opened.splice(0)) redis.disconnect();
  await server.kill();
  await server.restart();
});
afterAll(() => server.stop());

test('a command sent before the connection stands waits for it', async () => {
  expect(await open('commands').ping()).toBe('PONG');
});

test('commands fail at once while Redis is away, and work again when it is back', async () => {
  const redis = open('commands');
  await whenReady(redis, 5000);
  await server.kill();
  await until('the loss is noticed', () => !isUp(redis));
  const settled = await Promise.allSettled([redis.ping(), redis.get('a'), redis.set('a', '1')]);
  expect(settled.map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(isUp(redis)).toBe(false); // none of them waited for it
  await server.restart();
  await whenReady(redis, 10_000);
  expect(await redis.ping()).toBe('PONG');
});

test('a command under way when Redis dies is rejected, not repeated', async () => {
  const redis = open('commands');
  await whenReady(redis, 5000);
  const waiting = Promise.allSettled([redis.blpop('nothing', 0)]);
  const observer = open('blocking');
  await until('the command waits in Redis', async () => (await observer.info('clients')).includes('blocked_clients:1'));
  await server.kill();
  expect(await waiting).toMatchObject([{ status: 'rejected' }]);
});

test('a blocking command outlives a restart of Redis', async () => {
  const blocking = open('blocking');
  await whenReady(blocking, 5000);
  const popped = blocking.blpop('list', 0);
  await server.kill();
  await server.restart();
  const commands = open('commands');
  await commands.rpush('list', 'x');
  expect(await popped).toEqual(['list', 'x']);
});

test('a subscriber hears again after a restart of Redis', async () => {
  const subscriber = openRedis(server.url, { role: 'subscriber', name: 'test-subscriber', logger: logger() });
  opened.push(subscriber);
  const heard: string[] = [];
  subscriber.on('message', (_channel: string, message: string) => heard.push(message));
  await subscriber.subscribe('news');
  await server.kill();
  await server.restart();
  const commands = open('commands');
  await whenReady(subscriber, 10_000);
  await until('a message is heard', async () => {
    await commands.publish('news', 'hello');
    return heard.length > 0;
  });
  expect(heard[0]).toBe('hello');
});

test('an outage of several connections is logged once when it begins and once when it ends', async () => {
  const log = logger();
  const connections = [open('commands', log), open('blocking', log), open('subscriber', log)];
  await Promise.all(connections.map((redis) => whenReady(redis, 5000)));
  for (let outage = 1; outage <= 2; outage++) {
    await server.kill();
    await until('all are down', () => connections.every((redis) => !isUp(redis)));
    await Promise.allSettled(Array.from({ length: 20 }, () => connections[0]!.ping()));
    await server.restart();
    await Promise.all(connections.map((redis) => whenReady(redis, 10_000)));
    await until('recovery is logged', () => lines.length === 2 * outage);
  }
  expect(lines).toEqual(['Redis is unreachable', 'Redis is back', 'Redis is unreachable', 'Redis is back']);
});

test('closing a connection on purpose is no outage', async () => {
  const log = logger();
  const redis = open('commands', log);
  await whenReady(redis, 5000);
  redis.disconnect();
  await until('it is closed', () => redis.status === 'end');
  await expect(whenReady(open('commands'), 5000)).resolves.toBeUndefined();
  expect(lines).toEqual([]);
});

test('whenReady gives up at its deadline', async () => {
  await server.kill();
  await expect(whenReady(open('commands'), 20)).rejects.toThrow('within 20 ms');
});

test('a script runs by its hash, also on a Redis that has forgotten it', async () => {
  const redis = open('commands');
  await whenReady(redis, 5000);
  const before = Number(await runScript(redis, ADD, ['n'], [2]));
  await redis.script('FLUSH');
  const replies = await Promise.all([runScript(redis, ADD, ['n'], [1]), runScript(redis, ADD, ['n'], [1])]);
  expect(new Set(replies)).toEqual(new Set([before + 1, before + 2]));
});

test('a script in a pipeline that Redis does not know runs once, after it', async () => {
  const redis = open('commands');
  await whenReady(redis, 5000);
  await redis.del('m');
  await redis.script('FLUSH');
  const call = { script: ADD, keys: ['m'], args: [5] };
  const pipeline = openPipeline(redis).set('other', 'x');
  const replies = (await queueScript(pipeline, call).exec()) ?? [];
  expect(await scriptReply(redis, replies[1], call)).toBe(5);
  const again = (await queueScript(openPipeline(redis), call).exec()) ?? [];
  expect(await scriptReply(redis, again[0], call)).toBe(10);
  await expect(scriptReply(redis, [new Error('WRONGTYPE'), null], call)).rejects.toThrow('WRONGTYPE');
});

test('pipelines of one turn keep the order in which they were executed, and each hears its own answers', async () => {
  const redis = open('commands');
  await whenReady(redis, 5000);
  const texts = Array.from({ length: 50 }, (_, i) => `text ${i}`);
  const answers = await Promise.all(texts.map((text, i) => openPipeline(redis).set('turn', text).get('turn').getBuffer('turn').strlen('nothing').scard(i % 2 === 0 ? 'turn' : 'nothing').exec()));
  expect(answers.map((replies) => replies.slice(0, 4))).toEqual(texts.map((text) => [[null, 'OK'], [null, text], [null, Buffer.from(text)], [null, 0]]));
  expect(answers.map(([, , , , last]) => last?.[0]?.message.slice(0, 9) ?? null)).toEqual(texts.map((_, i) => (i % 2 === 0 ? 'WRONGTYPE' : null)));
});

test('a pipeline answers with errors, and does not reject, when Redis is away, dies under it, or says nothing in time', async () => {
  const redis = openRedis(server.url, { role: 'commands', name: 'impatient', logger: logger(), commandTimeoutMs: 100 });
  opened.push(redis);
  await whenReady(redis, 5000);
  await server.client.client('PAUSE', 300); // it takes what is sent and says nothing
  expect(await openPipeline(redis).get('a').get('b').exec()).toMatchObject([[{ message: 'Command timed out' }, undefined], [{ message: 'Command timed out' }, undefined]]);
  const waiting = openPipeline(redis).get('a').exec();
  await server.kill();
  expect(await waiting).toMatchObject([[expect.any(Error), undefined]]);
  await until('the loss is noticed', () => !isUp(redis));
  expect(await openPipeline(redis).get('a').exec()).toMatchObject([[expect.any(Error), undefined]]);
});

test('a pipeline executed before the connection stands waits for it', async () => {
  expect(await openPipeline(open('commands')).set('early', 'x').get('early').exec()).toEqual([[null, 'OK'], [null, 'x']]);
});
