import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { startRedisCluster, type RedisCluster, type RedisProcess } from '@deja/testing';
import { DEAD, EVENTS, GROUP, names, REQUESTS, sorted, Stage, until } from './stage.ts';

/** The promises of one Redis, on a Redis Cluster. */
const stage = new Stage();
let cluster: RedisCluster;
/** Holds the streams. */
let home: RedisProcess;

beforeAll(async () => {
  cluster = await startRedisCluster();
  stage.redisUrl = cluster.url;
  home = await cluster.masterOf(REQUESTS);
});
afterEach(async () => {
  await stage.leave();
  await cluster.flush();
});
afterAll(() => cluster.stop());

const LONG = { deadlineMs: 60_000 };

test('each request is handled by exactly one of two replicas, and each client hears its own replies', async () => {
  const [a, b, one, other] = [await stage.replica(), await stage.replica(), await stage.client(), await stage.client()];
  const replies = await Promise.all(names(200).map((n, i) => (i % 2 === 0 ? one : other).call<{ echoed: string }>('echo', { n }, LONG)));
  expect(replies.map((reply) => reply.echoed)).toEqual(names(200));
  expect(sorted([...a.seen.handled, ...b.seen.handled])).toEqual(sorted(names(200)));
});

test('a caller that gives up aborts the handler', async () => {
  const [{ seen }, caller, giveUp] = [await stage.replica(), await stage.client(), new AbortController()];
  const call = caller.call('held', { n: 'given up' }, { ...LONG, signal: giveUp.signal });
  await until(() => seen.begun.length === 1);
  giveUp.abort();
  await expect(call).rejects.toMatchObject({ name: 'RpcCancelled' });
  await until(() => seen.aborted.length === 1);
});

test('events are handled once and leave nothing behind, and one that fails is set aside', async () => {
  const [a, b, sender] = [await stage.replica({ maxDeliveries: 2 }), await stage.replica({ maxDeliveries: 2 }), await stage.client()];
  await Promise.all(names(50).map((n) => sender.notify('event', { n })));
  await sender.notify('poison', { n: 'public' });
  await until(async () => (await home.client.xlen(EVENTS)) === 0);
  expect(sorted([...a.seen.handled, ...b.seen.handled])).toEqual(sorted(names(50)));
  expect(await home.client.xlen(DEAD)).toBe(1);
});

test('a stopping replica answers what it has begun and leaves its seats, without waiting for its reads to end', async () => {
  const { app, seen } = await stage.replica({ blockMs: 60_000 });
  const call = (await stage.client()).call('held', { n: 'last' }, LONG);
  await until(() => seen.begun.length === 1);
  const stopped = app.close();
  seen.release();
  expect(await call).toBe('done');
  await stopped;
  for (const key of [REQUESTS, EVENTS]) expect(await home.client.xinfo('CONSUMERS', key, GROUP)).toEqual([]);
});

test('without the master of its streams calls fail at once and work again when it is back; without another they go on', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  const other = cluster.masters.find((master) => master !== home)!;
  await other.kill();
  await until(() => caller.isReady); // its replies may have come by way of that one
  await until(() => caller.call('echo', { n: 'meanwhile' }, { deadlineMs: 500 }).then(() => true, () => false));
  await cluster.restart(other);

  await home.kill();
  await until(() => caller.call('echo', { n: 'lost' }, LONG).then(() => false, (error: Error) => error.name === 'RpcUnavailable'));
  await cluster.restart(home);
  await until(() => caller.call('echo', { n: 'after' }, { deadlineMs: 500 }).then(() => true, () => false));
  expect(seen.handled).toEqual(expect.arrayContaining(['meanwhile', 'after']));
});
