import fc from 'fast-check';
import { gatewayAcceptedKey } from '@deja/contracts';
import { RedisProcess } from '@deja/testing';
import { ReservingGateway } from '../../test/reserver-stage.ts';
import { AcceptedCounts } from './accepted.ts';

const QUARTER_MS = 15 * 60_000;

test('whatever begins and ends in whichever order, each operation counts once, in the quarter in which it was received', () => {
  const step = fc.record({ id: fc.nat(5).map(String), ends: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const accepted = new AcceptedCounts('a');
    const expected = new Map<number, number>();
    const underWay = new Set<string>();
    for (const { id, ends } of steps) {
      const operation = { id, receivedAtMs: Number(id) * QUARTER_MS + 5 };
      if (!underWay.has(id)) expected.set(Number(id) * QUARTER_MS, (expected.get(Number(id) * QUARTER_MS) ?? 0) + 1);
      if (ends) underWay.delete(id);
      else underWay.add(id);
      const count = ends ? accepted.settled(operation) : accepted.opened(operation);
      expect(count).toEqual({ kind: 'accepted', quarterMs: Number(id) * QUARTER_MS, operations: expected.get(Number(id) * QUARTER_MS) });
    }
    expect(accepted.all(0).counts.map(({ quarterMs, operations }) => [quarterMs, operations])).toEqual([...expected]);
  }));
});

test('quarters that nobody compares any more are forgotten', () => {
  const accepted = new AcceptedCounts('a');
  accepted.settled({ id: 'x', receivedAtMs: 0 });
  accepted.settled({ id: 'y', receivedAtMs: 3 * 86_400_000 });
  expect(accepted.all(3 * 86_400_000)).toEqual({ counts: [{ kind: 'accepted', quarterMs: 3 * 86_400_000, operations: 1 }], over: [0] });
});

test('an operation counts in the step that opens it, also one that a limit refuses', async () => {
  const server = await RedisProcess.start();
  try {
    const gateway = new ReservingGateway(server.client);
    const ceiling = { scope: 'tenant' as const, model: null, counter: 'deja:limits:{t}:tenant', limits: { requests_per_minute: 1 }, degraded: 'open' as const };
    const shards = [{ name: 't', ceilings: [ceiling], budgets: [] }];
    expect(await gateway.admittedOf(3, shards)).toHaveLength(1);
    await gateway.reserve([]);
    const counts = await server.client.hgetall(gatewayAcceptedKey(gateway.instance));
    expect(Object.values(counts).reduce((sum, count) => sum + Number(count), 0)).toBe(4);
    gateway.close();
  } finally {
    await server.stop();
  }
});
