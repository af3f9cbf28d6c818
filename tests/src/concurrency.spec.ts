import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { burst, insist, send, statuses } from './bursts.ts';
import { eventually } from './client.ts';
import { LEASE_S, LimitedCluster } from './limited-cluster.ts';
import { newKey } from './tenant-keys.ts';

const GATEWAYS = [0, 1, 2];

let at: LimitedCluster;
beforeAll(async () => {
  at = await LimitedCluster.start();
}, 60_000);
beforeEach(() => at.gate.open());
afterAll(() => at?.stop());

describe('a concurrency limit', () => {
  test('over all gateways no more than the limit are with the provider, and all who insist are served', async () => {
    const key = await newKey(at.cluster, at.newTenant(), { limits: { concurrency: 5, degraded: 'closed' } });
    at.provider.reset();
    const served = await Promise.all(Array.from({ length: 90 }, (_, i) => insist(at.cluster, { key, gateway: i % 3, content: 'Take your time.', patient: true })));
    expect(statuses(served)).toEqual({ 200: 90 });
    expect(at.provider.maxInFlight).toBeLessThanOrEqual(5);
    expect(at.provider.maxInFlight).toBeGreaterThan(1);
  });

  test('a refusal says so, and that it may come again in a second', async () => {
    at.gate.close();
    const key = await newKey(at.cluster, at.newTenant(), { limits: { concurrency: 2 } });
    at.provider.reset();
    const running = [0, 1].map((gateway) => send(at.cluster, { key, gateway, content: 'Please wait.' }));
    await at.provider.waitFor(() => at.provider.inFlight === 2);
    const sent = await burst(at.cluster, 30, { key, content: 'Please wait.' });
    expect(statuses(sent)).toEqual({ 429: 30 });
    for (const { error, headers } of sent) {
      expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests', message: 'The limit of 2 concurrent requests of this key is reached.' });
      expect([headers.get('retry-after'), headers.get('x-should-retry')]).toEqual(['1', 'true']);
    }
    at.gate.open();
    expect(statuses(await Promise.all(running))).toEqual({ 200: 2 });
  });

  /** As many as may run do, and nobody else: what was held before is free again. */
  async function expectRoom(key: string, count: number): Promise<void> {
    at.gate.close();
    const running: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) {
      const before = at.provider.inFlight;
      running.push(insist(at.cluster, { key, gateway: i % 3, content: 'Please wait.' }));
      await at.provider.waitFor(() => at.provider.inFlight > before, 20_000);
    }
    expect(statuses(await burst(at.cluster, 6, { key, content: 'Please wait.' }))).toEqual({ 429: 6 });
    at.gate.open();
    await Promise.all(running);
  }

  test('clients that leave, before and in the middle of their answers, take nothing with them', async () => {
    const key = await newKey(at.cluster, at.newTenant(), { limits: { concurrency: 4 } });
    for (const stream of [false, true]) {
      at.gate.close();
      at.provider.reset();
      const leaving = new AbortController();
      const gone = GATEWAYS.concat(0).map((gateway) => send(at.cluster, { key, gateway, content: 'Please wait.', more: { stream }, signal: leaving.signal }));
      await at.provider.waitFor(() => at.provider.inFlight === 4);
      leaving.abort();
      expect(statuses(await Promise.all(gone))).toEqual({ 0: 4 });
      await at.provider.waitFor(() => at.provider.inFlight === 0);
      await expectRoom(key, 4);
    }
  });

  test('a request that outlasts many leases keeps its place', async () => {
    at.gate.close();
    const key = await newKey(at.cluster, at.newTenant(), { limits: { concurrency: 1 } });
    at.provider.reset();
    const running = send(at.cluster, { key, content: 'Please wait.' });
    await at.provider.waitFor(() => at.provider.inFlight === 1);
    const until = Date.now() + 2 * LEASE_S * 1000;
    await eventually('two leases to be over', async () => {
      expect((await send(at.cluster, { key, gateway: 1 })).status).toBe(429);
      return Date.now() > until;
    });
    at.gate.open();
    expect((await running).status).toBe(200);
  });

  test('what a gateway held that was killed is free again when its lease is over', async () => {
    at.gate.close();
    const key = await newKey(at.cluster, at.newTenant(), { limits: { concurrency: 3 } });
    at.provider.reset();
    const running = GATEWAYS.map((gateway) => send(at.cluster, { key, gateway, content: 'Please wait.' }));
    await at.provider.waitFor(() => at.provider.inFlight === 3);
    await at.cluster.killAndWait('gateway', 3);
    await at.provider.waitFor(() => at.provider.inFlight === 2);
    expect((await running[2])?.status).toBe(0);
    at.gate.open();
    expect(statuses(await Promise.all(running.slice(0, 2)))).toEqual({ 200: 2 });
    await expectRoom(key, 3);
  }, 60_000);
});
