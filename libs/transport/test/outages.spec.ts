import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { EVENTS, recorder, REQUESTS, Stage, until } from './stage.ts';

const stage = new Stage();
beforeAll(() => stage.open());
afterEach(() => stage.clear());
afterAll(() => stage.close());

const LONG = { deadlineMs: 60_000 };

test('a flush takes the groups away, and they come back with nothing lost that was sent after it', async () => {
  const [a, b, caller] = [await stage.replica(), await stage.replica(), await stage.client()];
  for (let round = 0; round < 3; round++) {
    await caller.call('echo', { n: `before ${round}` }, LONG);
    await stage.redis.client.flushall();
    await caller.notify('event', { n: `event ${round}` });
    expect(await caller.call('echo', { n: `after ${round}` }, LONG)).toEqual({ echoed: `after ${round}` });
    await until(() => [...a.seen.handled, ...b.seen.handled].includes(`event ${round}`));
  }
  await until(async () => (await stage.backlog()) === 0);
});

test('a flush while an event is handled does not disturb the next one', async () => {
  const [{ seen }, sender] = [await stage.replica(), await stage.client()];
  await sender.notify('held_event', { n: 'under way' });
  await until(() => seen.running === 1);
  await stage.redis.client.flushall();
  seen.release();
  await sender.notify('event', { n: 'next' });
  await until(() => seen.handled.includes('next'));
  expect(seen.handled).toEqual(['under way', 'next']);
});

test('calls fail at once while Redis is away, those under way too, and work again when it is back', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  const underWay = Promise.allSettled([caller.call('held', { n: 'x' }, LONG)]);
  await until(() => seen.running === 1);
  await stage.redis.kill();
  expect(await underWay).toMatchObject([{ status: 'rejected', reason: { name: 'RpcUnavailable' } }]);
  await expect(caller.call('echo', { n: 'away' }, LONG)).rejects.toMatchObject({ name: 'RpcUnavailable' });
  await expect(caller.notify('event', { n: 'away' })).rejects.toMatchObject({ name: 'RpcUnavailable' });
  await stage.redis.restart();
  await until(() => caller.isReady);
  expect(await caller.call('echo', { n: 'back' }, LONG)).toEqual({ echoed: 'back' });
  seen.release();
  expect(seen.handled).not.toContain('away');
});

test('a client that is made while Redis is away fails at once and works when it is back', async () => {
  await stage.replica();
  await stage.redis.kill();
  const caller = stage.unconnected();
  await expect(caller.call('echo', { n: 'x' }, LONG)).rejects.toMatchObject({ name: 'RpcUnavailable' });
  await expect(caller.notify('event', { n: 'x' })).rejects.toMatchObject({ name: 'RpcUnavailable' });
  await stage.redis.restart();
  await caller.connect();
  expect(await caller.call('echo', { n: 'back' }, LONG)).toEqual({ echoed: 'back' });
});

test('a replica that starts while Redis is away takes messages when it is back', async () => {
  await stage.redis.kill();
  const starting = stage.replica();
  const caller = stage.unconnected();
  await stage.redis.restart();
  const { seen } = await starting;
  await caller.connect();
  await caller.call('echo', { n: 'hello' }, LONG);
  expect(seen.handled).toEqual(['hello']);
});

test('an event that Redis had taken survives its kill -9, also one whose acknowledgement was lost', async () => {
  const sender = await stage.client();
  await sender.notify('event', { n: 'waiting' });
  await stage.redis.kill();
  await stage.redis.restart();
  const { seen } = await stage.replica();
  await until(() => seen.handled.includes('waiting'));

  await until(() => sender.isReady);
  await sender.notify('held_event', { n: 'in hand' });
  await until(() => seen.running === 1);
  await stage.redis.kill();
  seen.release();
  await until(() => seen.handled.includes('in hand'));
  await stage.redis.restart();
  await until(async () => (await stage.backlog()) === 0);
  expect(seen.handled.filter((n) => n === 'waiting')).toHaveLength(1);
});

test('after a kill -9 of Redis cancellations are heard again', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  await stage.redis.kill();
  await stage.redis.restart();
  await until(() => caller.isReady);
  await caller.call('echo', { n: 'back' }, LONG);
  const given = new AbortController();
  const call = Promise.allSettled([caller.call('held', { n: 'x' }, { ...LONG, signal: given.signal })]);
  await until(() => seen.begun.includes('x'));
  await until(async () => String(await stage.redis.client.pubsub('CHANNELS', 'deja:rpc:cancel:*')).includes('router'));
  given.abort();
  expect(await call).toMatchObject([{ status: 'rejected', reason: { name: 'RpcCancelled' } }]);
  await until(() => seen.aborted.includes('x'));
});

test('an outage is one line when it begins and one when it ends, however many calls it fails', async () => {
  const { logger, logged } = recorder();
  await stage.replica({ logger });
  const caller = await stage.client({ logger });
  await stage.redis.kill();
  for (let i = 0; i < 50; i++) await Promise.allSettled([caller.notify('event', {}), caller.call('echo', { n: 'x' }, LONG)]);
  await stage.redis.restart();
  await until(() => logged.info.length > 0);
  expect(logged).toEqual({ warn: ['Redis is unreachable'], info: ['Redis is back'], error: [] });
});

test('a replica that stops during an outage stops', async () => {
  const { app } = await stage.replica();
  await stage.redis.kill();
  await expect(app.close()).resolves.toBeUndefined();
  await stage.redis.restart();
  expect(await stage.redis.client.exists(REQUESTS, EVENTS)).toBe(2);
});
