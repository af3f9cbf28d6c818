import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { DejaError } from '@deja/contracts';
import { lastValueFrom } from 'rxjs';
import { names, REQUESTS, sorted, Stage, until, type Replica } from './stage.ts';

const stage = new Stage();
beforeAll(() => stage.open());
afterEach(async () => {
  jest.restoreAllMocks();
  await stage.clear();
});
afterAll(() => stage.close());

const LONG = { deadlineMs: 60_000 };

test('with two replicas each is handled by exactly one, and both work', async () => {
  const [a, b, caller] = [await stage.replica(), await stage.replica(), await stage.client()];
  const replies = await Promise.all(names(300).map((n) => caller.call<{ echoed: string }>('echo', { n }, LONG)));
  expect(replies.map((reply) => reply.echoed)).toEqual(names(300));
  expect(sorted([...a.seen.handled, ...b.seen.handled])).toEqual(sorted(names(300)));
  expect(Math.min(a.seen.handled.length, b.seen.handled.length)).toBeGreaterThan(0);
});

test('two clients hear their own replies only', async () => {
  const [, one, other] = [await stage.replica(), await stage.client(), await stage.client()];
  const ask = (n: string): Promise<unknown>[] => [one.call('echo', { n: `one ${n}` }, LONG), other.call('echo', { n: `other ${n}` }, LONG)];
  const replies = await Promise.all(names(50).flatMap(ask));
  expect(replies).toEqual(names(50).flatMap((n) => [{ echoed: `one ${n}` }, { echoed: `other ${n}` }]));
});

test('a client that was only just made waits for its connection', async () => {
  await stage.replica();
  expect(await stage.unconnected().call('echo', { n: 'first' }, LONG)).toEqual({ echoed: 'first' });
});

test('without a server the caller gets its error at the deadline, and a server that comes later does not handle it', async () => {
  const caller = await stage.client();
  await expect(caller.call('echo', { n: 'late' }, { deadlineMs: 50 })).rejects.toMatchObject({ name: 'RpcTimeout' });
  const { seen } = await stage.replica();
  await caller.call('echo', { n: 'in time' }, LONG);
  expect(seen.handled).toEqual(['in time']);
});

test('a server that comes before the deadline still handles it', async () => {
  const call = (await stage.client()).call('echo', { n: 'early' }, LONG);
  await stage.replica();
  expect(await call).toEqual({ echoed: 'early' });
});

test('the age of a message is measured on the clock of Redis: a machine whose clock is an hour off handles what it should', async () => {
  const real = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => real() + 3_600_000);
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  expect(await caller.call('echo', { n: 'fresh' }, LONG)).toEqual({ echoed: 'fresh' });
  const [seconds] = await stage.redis.client.time();
  await stage.redis.client.del(REQUESTS);
  const old = JSON.stringify({ pattern: 'echo', data: { n: 'old' }, id: '1', inbox: 'nobody', budgetMs: 5000 });
  await stage.redis.client.xadd(REQUESTS, `${(Number(seconds) - 6) * 1000}-1`, 'm', old);
  expect(await caller.call('echo', { n: 'after' }, LONG)).toEqual({ echoed: 'after' });
  expect(seen.handled).toEqual(['fresh', 'after']);
});

test('a handler knows its deadline', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  const beforeMs = Date.now();
  const told = await caller.call<{ deadlineMs: number; deliveries: number }>('deadline', {}, { deadlineMs: 30_000 });
  expect(told.deliveries).toBe(1);
  expect(Math.abs(told.deadlineMs - beforeMs - 30_000)).toBeLessThan(10_000);
});

test('a caller that gives up aborts the handler', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  const given = new AbortController();
  const call = Promise.allSettled([caller.call('held', { n: 'x' }, { ...LONG, signal: given.signal })]);
  await until(() => seen.begun.length === 1);
  given.abort(new Error('the client left'));
  expect(await call).toMatchObject([{ status: 'rejected', reason: { name: 'RpcCancelled', cause: { message: 'the client left' } } }]);
  await until(() => seen.aborted.includes('x'));
});

test('a caller that has given up before sends nothing', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  await expect(caller.call('echo', { n: 'x' }, { ...LONG, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'RpcCancelled' });
  await caller.call('echo', { n: 'y' }, LONG);
  expect(seen.handled).toEqual(['y']);
});

test('what is given up while it waits for a free replica is never handled', async () => {
  const [{ seen }, caller] = [await stage.replica({ maxInFlight: 1 }), await stage.client()];
  const first = caller.call('held', { n: 'first' }, LONG);
  await until(() => seen.begun.length === 1);
  const given = new AbortController();
  const waiting = Promise.allSettled([caller.call('held', { n: 'waiting' }, { ...LONG, signal: given.signal })]);
  await until(async () => JSON.stringify(await stage.redis.client.xrange(REQUESTS, '-', '+')).includes('waiting'));
  given.abort();
  await waiting;
  await until(async () => !JSON.stringify(await stage.redis.client.xrange(REQUESTS, '-', '+')).includes('waiting'));
  seen.release();
  await first;
  await caller.call('echo', { n: 'last' }, LONG);
  expect(seen.handled).toEqual(['first', 'last']);
});

test('the deadline aborts the handler too', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  await expect(caller.call('held', { n: 'x' }, { deadlineMs: 1000 })).rejects.toMatchObject({ name: 'RpcTimeout' });
  await until(() => seen.aborted.includes('x'));
});

test('a DejaError crosses with all of its public part', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  const error = await caller.call('refuse', {}, LONG).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(DejaError);
  expect(error).toMatchObject({ code: 'budget_exceeded', message: 'no money left', param: 'model', retryAfterMs: 7, type: 'tokens', retry: true, cause: undefined });
});

test('of any other error the caller learns only that it happened', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  const error = await caller.call('crash', {}, LONG).catch((e: unknown) => e);
  expect(error).toMatchObject({ name: 'RpcFailure' });
  expect(String(error)).not.toContain('internal detail');
  await expect(caller.call('nobody handles this', {}, LONG)).rejects.toMatchObject({ name: 'RpcFailure' });
});

test('a handler may answer nothing', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  expect(await caller.call('nothing', { n: 'x' }, LONG)).toBeUndefined();
});

test('a replica handles no more at once than it may, and the rest waits', async () => {
  const [{ seen }, caller] = [await stage.replica({ maxInFlight: 4 }), await stage.client()];
  const calls = names(20).map((n) => caller.call('held', { n }, LONG));
  await until(() => seen.running === 4);
  await until(async () => (await stage.redis.client.xlen(REQUESTS)) >= 16);
  seen.release();
  expect(await Promise.all(calls)).toHaveLength(20);
  expect(seen.mostRunning).toBe(4);
});

test('what a full replica cannot take, another does', async () => {
  const [full, caller] = [await stage.replica({ maxInFlight: 1 }), await stage.client()];
  const first = caller.call('held', { n: 'first' }, LONG);
  await until(() => full.seen.begun.length === 1);
  const free = await stage.replica();
  await caller.call('echo', { n: 'second' }, LONG);
  expect(free.seen.handled).toEqual(['second']);
  full.seen.release();
  await first;
});

test('events that hold every place of theirs do not hold back a request', async () => {
  const [{ seen }, caller] = [await stage.replica({ maxEventsInFlight: 2 }), await stage.client()];
  await Promise.all(names(5).map((n) => caller.notify('held_event', { n })));
  await until(() => seen.running === 2);
  expect(await caller.call('echo', { n: 'through' }, LONG)).toEqual({ echoed: 'through' });
  expect(seen.mostRunning).toBe(2);
});

test('a stopping replica answers what it has begun and leaves its seats', async () => {
  const [{ app, seen }, caller] = [await stage.replica(), await stage.client()];
  const call = caller.call('held', { n: 'begun' }, LONG);
  await until(() => seen.running === 1);
  const closed = app.close();
  seen.release();
  expect(await call).toBe('done');
  await closed;
  expect(await stage.seats(REQUESTS)).toEqual([]);
});

test('a stopping replica does not wait for ever: what is deaf to its signal is left behind', async () => {
  const [{ app, seen }, caller] = [await stage.replica({ drainMs: 100 }), await stage.client()];
  const deaf = caller.call('deaf', { n: 'deaf' }, { deadlineMs: 1500 }).catch((error: unknown) => error);
  const hearing = caller.call('held', { n: 'hearing' }, { deadlineMs: 1500 }).catch((error: unknown) => error);
  await until(() => seen.running === 2);
  await app.close();
  await until(() => seen.aborted.includes('hearing'));
  expect(await Promise.all([deaf, hearing])).toMatchObject([{ name: 'RpcTimeout' }, { name: 'RpcTimeout' }]);
});

test('a rolling restart loses no call', async () => {
  const caller = await stage.client();
  let replicas: Replica[] = [await stage.replica(), await stage.replica()];
  let isOver = false;
  let answered = 0;
  const trickle = async (): Promise<void> => {
    for (; !isOver; answered++) await caller.call('echo', { n: `${answered}` }, LONG);
  };
  const callers = Promise.all(Array.from({ length: 8 }, trickle));
  for (let round = 0; round < 4; round++) {
    const before = answered;
    const fresh = await stage.replica();
    await replicas[0]!.app.close();
    replicas = [...replicas.slice(1), fresh];
    await until(() => answered > before + 100);
  }
  isOver = true;
  await expect(callers).resolves.toBeDefined();
});

test('handled requests do not stay in Redis', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  await Promise.all(names(250).map((n) => caller.call('echo', { n }, LONG)));
  await until(async () => (await stage.redis.client.xlen(REQUESTS)) === 0);
  expect(await caller.call('echo', { n: 'more' }, LONG)).toEqual({ echoed: 'more' });
});

test('requests that nobody reads are bounded', async () => {
  const caller = await stage.client();
  const fill = stage.redis.client.pipeline();
  for (const n of names(12_000)) fill.xadd(REQUESTS, '*', 'm', n);
  await fill.exec();
  await expect(caller.call('echo', { n: 'x' }, { deadlineMs: 50 })).rejects.toMatchObject({ name: 'RpcTimeout' });
  expect(await stage.redis.client.xlen(REQUESTS)).toBeLessThan(10_200);
});

test('what is no request is passed over', async () => {
  const [, caller] = [await stage.replica(), await stage.client()];
  for (const fields of [['x', 'y'], ['m', '{'], ['m', 'null'], ['m', '{"pattern":"echo"}'], ['m', '7']]) await stage.redis.client.xadd(REQUESTS, '*', ...fields);
  expect(await caller.call('echo', { n: 'good' }, LONG)).toEqual({ echoed: 'good' });
});

test('a closed client rejects what it still waits for', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  const call = Promise.allSettled([caller.call('held', { n: 'x' }, LONG)]);
  await until(() => seen.running === 1);
  await caller.close();
  expect(await call).toMatchObject([{ status: 'rejected', reason: { name: 'RpcUnavailable' } }]);
});

test('Nest’s own client works too: send, emit, and giving up by unsubscribing', async () => {
  const [{ seen }, caller] = [await stage.replica(), await stage.client()];
  expect(await lastValueFrom(caller.send('echo', { n: 'nest' }))).toEqual({ echoed: 'nest' });
  await expect(lastValueFrom(caller.send('refuse', {}))).rejects.toMatchObject({ name: 'DejaError', code: 'budget_exceeded' });
  caller.emit('event', { n: 'emitted' });
  await until(() => seen.handled.includes('emitted'));
  const subscription = caller.send('held', { n: 'left' }).subscribe({ error: () => undefined });
  await until(() => seen.running === 1);
  subscription.unsubscribe();
  await until(() => seen.aborted.includes('left'));
});
