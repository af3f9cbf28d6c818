import { EventEmitter } from 'node:events';
import { PUSH_CHANNEL, type RoutingSnapshot } from '@deja/contracts';
import type { Redis } from 'ioredis';
import { RoutingTable } from './routing-table.ts';

const SNAPSHOT = { version: 1, issuedAtMs: 1, models: [], deployments: [], settings: { stale_ok_s: 30 } } as unknown as RoutingSnapshot;

/** The two connections at their edge: what Redis would say, said by hand. */
async function joined(): Promise<{ table: RoutingTable; says: (push: object) => void; breaks: () => void; rejoins: () => Promise<void>; clock: { nowMs: number } }> {
  const clock = { nowMs: 1_000_000 };
  const subscriber = Object.assign(new EventEmitter(), { status: 'ready', subscribe: () => Promise.resolve(1) });
  const commands = { get: () => Promise.resolve(JSON.stringify(SNAPSHOT)) };
  const table = new RoutingTable(subscriber as unknown as Redis, commands as unknown as Redis, { info: () => undefined, warn: () => undefined }, () => clock.nowMs);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  table.start();
  await settled();
  return {
    table,
    clock,
    says: (push) => void subscriber.emit('message', PUSH_CHANNEL, JSON.stringify(push)),
    breaks: () => void subscriber.emit('close'),
    rejoins: async () => {
      subscriber.emit('ready');
      await settled();
    },
  };
}

test('while routers are heard, what is known is current', async () => {
  const { table, says, clock } = await joined();
  for (let second = 0; second < 100; second++) {
    clock.nowMs += 1000;
    says({ kind: 'router_alive' });
  }
  expect([table.ready, table.staleSinceMs]).toEqual([true, null]);
});

test('without any router the last snapshot serves for stale_ok_s, and the table says since when it is stale', async () => {
  const { table, says, clock } = await joined();
  says({ kind: 'router_alive' });
  const lastMs = clock.nowMs;
  clock.nowMs += 4999;
  expect(table.staleSinceMs).toBeNull();
  clock.nowMs = lastMs + 29_999;
  expect([table.snapshot().version, table.staleSinceMs]).toEqual([1, lastMs]);
  clock.nowMs = lastMs + 30_000;
  expect(table.ready).toBe(false);
  expect(() => table.snapshot()).toThrow(expect.objectContaining({ code: 'overloaded' }));
  says({ kind: 'router_alive' });
  expect([table.ready, table.staleSinceMs]).toEqual([true, null]);
});

test('a push channel that is down is stale at once, and serves as long', async () => {
  const { table, says, breaks, rejoins, clock } = await joined();
  says({ kind: 'router_alive' });
  breaks();
  clock.nowMs += 29_999;
  expect([table.ready, table.staleSinceMs]).toEqual([true, clock.nowMs - 29_999]);
  clock.nowMs += 1;
  expect(table.ready).toBe(false);
  await rejoins();
  expect([table.ready, table.staleSinceMs]).toEqual([true, null]);
});
