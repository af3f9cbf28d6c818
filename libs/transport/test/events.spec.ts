import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { DEAD, EVENTS, GROUP, names, recorder, REQUESTS, sorted, Stage, until } from './stage.ts';

const stage = new Stage();
beforeAll(() => stage.open());
afterEach(() => stage.clear());
afterAll(() => stage.close());

test('each is handled by one of two replicas, and leaves nothing behind', async () => {
  const [a, b, sender] = [await stage.replica(), await stage.replica(), await stage.client()];
  await Promise.all(names(300).map((n) => sender.notify('event', { n })));
  await until(() => a.seen.handled.length + b.seen.handled.length >= 300);
  expect(sorted([...a.seen.handled, ...b.seen.handled])).toEqual(sorted(names(300)));
  await until(async () => (await stage.backlog()) === 0);
});

test('sent before any replica lives, they wait', async () => {
  const sender = await stage.client();
  await Promise.all(names(3).map((n) => sender.notify('event', { n })));
  const { seen } = await stage.replica();
  await until(() => seen.handled.length === 3);
  expect(seen.handled).toEqual(names(3));
});

test('what a dead replica had in hand is handled by another, and the seat of the dead is removed', async () => {
  const sender = await stage.client();
  await stage.redis.client.xgroup('CREATE', EVENTS, GROUP, '0', 'MKSTREAM');
  await sender.notify('event', { n: 'orphan' });
  await stage.redis.client.xreadgroup('GROUP', GROUP, 'the-dead', 'COUNT', 10, 'STREAMS', EVENTS, '>');
  const { seen } = await stage.replica({ seatIdleMs: 400 });
  await until(() => seen.handled.includes('orphan'));
  await until(async () => (await stage.backlog()) === 0);
  await until(async () => !(await stage.seats(EVENTS)).includes('the-dead'));
  expect(seen.handled).toEqual(['orphan']);
});

test('a seat that still holds an event is never removed, however long it was silent', async () => {
  const sender = await stage.client();
  await stage.redis.client.xgroup('CREATE', EVENTS, GROUP, '0', 'MKSTREAM');
  await stage.redis.client.xgroup('CREATECONSUMER', EVENTS, GROUP, 'idle-and-empty');
  await sender.notify('event', { n: 'kept' });
  await stage.redis.client.xreadgroup('GROUP', GROUP, 'idle-and-holding', 'COUNT', 10, 'STREAMS', EVENTS, '>');
  await stage.replica({ seatIdleMs: 1, claimIdleMs: 2000, blockMs: 50 });
  await until(async () => !(await stage.seats(EVENTS)).includes('idle-and-empty'));
  expect(await stage.seats(EVENTS)).toContain('idle-and-holding');
  expect(await stage.backlog()).toBe(1);
});

test('what a living replica works on is not taken over, however long it takes', async () => {
  const [a, b, sender] = [await stage.replica({ claimIdleMs: 600 }), await stage.replica({ claimIdleMs: 600 }), await stage.client()];
  await sender.notify('held_event', { n: 'slow' });
  await until(() => a.seen.begun.length + b.seen.begun.length === 1);
  let renewals = 0;
  let lastIdleMs = 0;
  await until(async () => {
    const [pending] = (await stage.redis.client.xpending(EVENTS, GROUP, '-', '+', 1)) as [string, string, number, number][];
    const idleMs = pending?.[2] ?? 0;
    if (idleMs < lastIdleMs) renewals++;
    lastIdleMs = idleMs;
    return renewals >= 6;
  });
  a.seen.release();
  b.seen.release();
  await until(async () => (await stage.backlog()) === 0);
  expect([...a.seen.begun, ...b.seen.begun]).toEqual(['slow']);
});

test('a failed event is tried again, then set aside with a reason that tells nothing internal, and the others go on', async () => {
  const { logger, logged } = recorder();
  const [{ seen }, sender] = [await stage.replica({ maxDeliveries: 3, logger }), await stage.client()];
  await sender.notify('poison', { n: 'internal' });
  await sender.notify('event', { n: 'good' });
  await until(() => seen.handled.includes('good'));
  await until(async () => (await stage.backlog()) === 0);
  expect(seen.failures).toBe(3);
  expect(await stage.dead()).toMatchObject([{ reason: 'TypeError', deliveries: '3', m: expect.stringContaining('"n":"internal"') }]);
  expect(logged.error).toEqual(['an event was set aside']);
});

test('a public reason is kept, an unknown pattern is named, and what is no message at all is set aside at once', async () => {
  const [, sender] = [await stage.replica({ maxDeliveries: 1 }), await stage.client()];
  await sender.notify('poison', { n: 'public' });
  await sender.notify('nobody handles this', {});
  await stage.redis.client.xadd(EVENTS, '*', 'not', 'a message');
  await until(async () => (await stage.dead()).length === 3);
  const reasons = (await stage.dead()).map((entry) => entry['reason'] ?? '');
  expect(sorted(reasons)).toEqual(['invalid_value: a public reason', 'no handler for nobody handles this', 'not a message']);
  expect(await stage.backlog()).toBe(0);
});

test('an event that kills every replica is set aside without another try', async () => {
  const sender = await stage.client();
  await stage.redis.client.xgroup('CREATE', EVENTS, GROUP, '0', 'MKSTREAM');
  await sender.notify('event', { n: 'killer' });
  const read = (await stage.redis.client.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', EVENTS, '>'))!;
  const entryId = read[0]![1][0]![0];
  await stage.redis.client.xclaim(EVENTS, GROUP, 'dead', 0, entryId, 'RETRYCOUNT', 5);
  const { seen } = await stage.replica({ maxDeliveries: 5 });
  await until(async () => (await stage.dead()).length === 1);
  expect(await stage.dead()).toMatchObject([{ reason: 'delivered, and never finished', entry: entryId }]);
  expect(seen.handled).toEqual([]);
});

test('two replicas set the same event aside once', async () => {
  const sender = await stage.client();
  // Long enough that no try is taken for dead on a busy machine while it still runs.
  const replicas = [await stage.replica({ maxDeliveries: 2, claimIdleMs: 500 }), await stage.replica({ maxDeliveries: 2, claimIdleMs: 500 })];
  await Promise.all(names(40).map((n) => sender.notify('poison', { n })));
  await until(async () => (await stage.backlog()) === 0);
  expect(await stage.redis.client.xlen(DEAD)).toBe(40);
  expect(replicas.reduce((sum, { seen }) => sum + seen.failures, 0)).toBe(80);
});

test('the place for dead events is bounded', async () => {
  const fill = stage.redis.client.pipeline();
  for (const n of names(1000)) fill.xadd(DEAD, '*', 'n', n);
  await fill.exec();
  const [, sender] = [await stage.replica({ maxDeliveries: 1 }), await stage.client()];
  await sender.notify('poison', { n: 'newest' });
  await until(async () => (await stage.dead()).at(-1)?.['m'] !== undefined);
  expect(await stage.redis.client.xlen(DEAD)).toBe(1000);
});

test('an event that takes too long is aborted and tried again', async () => {
  const [{ seen }, sender] = [await stage.replica({ eventTimeoutMs: 50, maxDeliveries: 2 }), await stage.client()];
  await sender.notify('held_event', { n: 'stuck' });
  await until(async () => (await stage.dead()).length === 1);
  expect(seen.begun).toEqual(['stuck', 'stuck']);
  expect(await stage.dead()).toMatchObject([{ reason: 'AbortError', deliveries: '2' }]);
});

test('a full backlog refuses the next one instead of dropping an old one', async () => {
  const sender = await stage.client({ maxEvents: 3 });
  for (const n of names(3)) await sender.notify('event', { n });
  await expect(sender.notify('event', { n: 'too many' })).rejects.toMatchObject({ name: 'RpcUnavailable' });
  const { seen } = await stage.replica();
  await until(async () => (await stage.backlog()) === 0);
  expect(seen.handled).toEqual(names(3));
  await sender.notify('event', { n: 'room again' });
  await until(() => seen.handled.includes('room again'));
});

test('of events that are told together, those are refused for which there is no room, and the first are taken', async () => {
  const sender = await stage.client({ maxEvents: 3 });
  const told = await Promise.allSettled(names(5).map((n) => sender.notify('event', { n })));
  expect(told.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
  const { seen } = await stage.replica();
  await until(async () => (await stage.backlog()) === 0);
  expect(seen.handled).toEqual(names(3));
});

test('what is told just before its client is closed is not lost', async () => {
  const sender = await stage.client();
  await sender.notify('event', { n: 'before' });
  const last = [sender.notify('event', { n: 'last' }), sender.notify('event', { n: 'very last' })];
  await sender.close();
  await Promise.all(last);
  const { seen } = await stage.replica();
  await until(() => seen.handled.length === 3);
  expect(seen.handled).toEqual(['before', 'last', 'very last']);
});

test('of events that come together, one that fails is tried again without the others', async () => {
  const [{ seen }, sender] = [await stage.replica({ maxDeliveries: 2 }), await stage.client()];
  await Promise.all([sender.notify('event', { n: 'a' }), sender.notify('poison', { n: 'internal' }), sender.notify('event', { n: 'b' })]);
  await until(async () => (await stage.backlog()) === 0);
  expect([seen.handled, seen.failures]).toEqual([['a', 'b'], 2]);
});

test('no more than so many are handled at once', async () => {
  const [{ seen }, sender] = [await stage.replica({ maxEventsInFlight: 3 }), await stage.client()];
  await Promise.all(names(10).map((n) => sender.notify('held_event', { n })));
  await until(() => seen.running === 3);
  seen.release();
  await until(async () => (await stage.backlog()) === 0);
  expect(seen.mostRunning).toBe(3);
});

test('a stopping replica finishes and acknowledges what it has begun, and leaves its seats', async () => {
  const [{ app, seen }, sender] = [await stage.replica(), await stage.client()];
  await sender.notify('held_event', { n: 'begun' });
  await until(() => seen.running === 1);
  const closed = app.close();
  seen.release();
  await closed;
  expect(seen.handled).toEqual(['begun']);
  expect(await stage.backlog()).toBe(0);
  expect([await stage.seats(EVENTS), await stage.seats(REQUESTS)]).toEqual([[], []]);
});

test('what a stopping replica could not finish in time is handled by another', async () => {
  const [first, sender] = [await stage.replica({ drainMs: 50 }), await stage.client()];
  await sender.notify('held_event', { n: 'handed over' });
  await until(() => first.seen.running === 1);
  await first.app.close();
  expect(await stage.backlog()).toBe(1);
  const second = await stage.replica();
  second.seen.release();
  await until(() => second.seen.handled.includes('handed over'));
  await until(async () => (await stage.backlog()) === 0);
});
