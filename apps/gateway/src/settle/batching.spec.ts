import fc from 'fast-check';
import { batchMs } from './batching.ts';
import { LastSent } from './last-sent.ts';
import { QueueBound } from './queue-bound.ts';
import type { UsageEvent } from '@deja/contracts';

test('the more jobs wait, the longer events gather, from 20 ms to a second', () => {
  expect([batchMs(0), batchMs(64), batchMs(256), batchMs(1e9)]).toEqual([20, 20, 1000, 1000]);
  fc.assert(fc.property(fc.nat(1000), fc.nat(1000), (a, b) => batchMs(Math.min(a, b)) <= batchMs(Math.max(a, b))));
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
  const event = (id: string): UsageEvent => ({ id }) as UsageEvent;
  const sent = new LastSent();
  for (const ms of [0, 1000, 2500, 5000]) sent.add([event(`at ${ms}`)], ms);
  expect(sent.all()).toEqual([event('at 2500'), event('at 5000')]);
  sent.add(Array.from({ length: 20_000 }, (_, i) => event(String(i))), 5001);
  expect(sent.all()).toHaveLength(20_000);
});
