import fc from 'fast-check';
import { batchMs } from './batching.ts';
import { LastSent, type UsageJob } from './last-sent.ts';
import { QueueBound } from './queue-bound.ts';

test('the more jobs wait, the longer events gather, up to a second; the more came last, the longer too, up to 100 ms', () => {
  expect([batchMs(0, 0), batchMs(64, 1), batchMs(256, 1), batchMs(1e9, 1)]).toEqual([20, 20, 1000, 1000]);
  expect([batchMs(0, 2), batchMs(0, 5), batchMs(64, 200), batchMs(256, 200)]).toEqual([40, 100, 100, 1000]);
  fc.assert(fc.property(fc.nat(1000), fc.nat(1000), fc.nat(200), (a, b, events) => batchMs(Math.min(a, b), events) <= batchMs(Math.max(a, b), events)));
  fc.assert(fc.property(fc.nat(1000), fc.nat(200), fc.nat(200), (jobs, a, b) => batchMs(jobs, Math.min(a, b)) <= batchMs(jobs, Math.max(a, b))));
});

test('three gateways that fill the queue between two looks stay within its bound together', async () => {
  const queue = { jobs: 0, jobBytes: 1600 };
  const bounds = Array.from({ length: 3 }, () => new QueueBound({ look: () => Promise.resolve({ ...queue }), maxBytes: () => 1_000_000, replicas: () => 3 }));
  for (let second = 0; second < 5; second++) {
    for (const bound of bounds) await bound.look();
    for (const bound of bounds) {
      while (!bound.isFull) {
        bound.sent(1000);
        queue.jobs += 1;
      }
    }
  }
  expect(queue.jobs * queue.jobBytes).toBeGreaterThan(900_000);
  expect(queue.jobs * queue.jobBytes).toBeLessThan(1_010_000);
});

test('while Redis does not answer, what was seen of the queue holds', async () => {
  let up = true;
  const bound = new QueueBound({ look: () => (up ? Promise.resolve({ jobs: 10, jobBytes: 100 }) : Promise.reject(new Error('away'))), maxBytes: () => 5000, replicas: () => 1 });
  await bound.look();
  up = false;
  await bound.look();
  expect([bound.jobs, bound.roomBytes, bound.isFull]).toEqual([10, 4000, false]);
});

test('of what was sent last, three seconds are known, counted from when the last was taken', () => {
  const sent = new LastSent();
  const job = (...ids: string[]): UsageJob => ({ data: { v: 2, z: '' }, ids });
  for (const ms of [0, 1000, 2500, 5000]) sent.add(job(`at ${ms}`), ms);
  expect(sent.all()).toEqual([job('at 2500'), job('at 5000')]);
  for (let n = 0; n < 100; n++) sent.add(job(...Array.from({ length: 200 }, (_, i) => `${n}.${i}`)), 5001);
  expect(sent.all().flatMap(({ ids }) => ids)).toHaveLength(20_000);
});
