import { describe, expect, test } from '@jest/globals';
import { eventually } from '@deja/testing';
import { DataKeys } from '../src/capture/data-keys.ts';
import { ScriptedDataKeys } from './sealed-data-keys.ts';

function world(): { keys: DataKeys; router: ScriptedDataKeys; time: { ms: number }; push: { healthy: boolean }; warned: string[] } {
  const router = new ScriptedDataKeys();
  const time = { ms: 0 };
  const push = { healthy: true };
  const warned: string[] = [];
  const keys = new DataKeys(router.ask, { warn: (...about: unknown[]) => void warned.push(String(about[1])) }, { now: () => time.ms, pushHealthy: () => push.healthy, staleOkMs: () => 60_000 });
  return { keys, router, time, push, warned };
}

describe("tenants' data keys", () => {
  test('are asked for once, and then are at hand', async () => {
    const { keys, router } = world();
    expect(keys.current('a')).toBeNull();
    expect(await Promise.all([keys.fetch('a'), keys.fetch('a')])).toEqual(['held', 'held']);
    expect(keys.current('a')?.key.symmetricKeySize).toBe(32);
    expect(keys.current('b')).toBeNull();
    expect(router.asked).toEqual(['a current']);
  });

  test('that were destroyed are not used any more once the push has come', async () => {
    const { keys, router } = world();
    await keys.fetch('a');
    const before = keys.current('a')?.id;
    router.shred('a');
    keys.forgetTenant('a');
    expect(keys.current('a')).toBeNull();
    await keys.fetch('a');
    expect(keys.current('a')?.id).not.toBe(before);
  });

  test('that come when their tenant has just changed are not taken in', async () => {
    const { keys, router } = world();
    const { promise, resolve } = Promise.withResolvers<void>();
    router.before = promise;
    const late = keys.fetch('a');
    await eventually('the question', () => router.asked.length === 1);
    keys.forgetTenant('a');
    resolve();
    expect(await late).toBe('away');
    expect(keys.current('a')).toBeNull();
  });

  test('are used for a second and no longer while no router is heard, and asked for again', async () => {
    const { keys, router, time, push } = world();
    await keys.fetch('a');
    push.healthy = false;
    time.ms = 999;
    expect(keys.current('a')).not.toBeNull();
    time.ms = 1000;
    expect(keys.current('a')).toBeNull();
    expect(await keys.fetch('a')).toBe('held');
    expect(router.asked).toHaveLength(2);
    keys.doubt();
    expect(keys.current('a')).toBeNull();
  });

  test('are used while no router can be asked, for as long as client keys are', async () => {
    const { keys, router, time, push, warned } = world();
    await keys.fetch('a');
    router.isAway = true;
    push.healthy = false;
    keys.doubt();
    for (time.ms = 1000; time.ms < 61_000; time.ms += 1000) {
      expect(await keys.fetch('a')).toBe('held');
      expect(keys.current('a')).not.toBeNull();
    }
    expect(await keys.fetch('a')).toBe('away');
    expect(keys.current('a')).toBeNull();
    expect(warned).toHaveLength(1); // of one outage
    router.isAway = false;
    expect(await keys.fetch('a')).toBe('held');
  });

  test('of a tenant that is gone are gone', async () => {
    const { keys, router, time } = world();
    await keys.fetch('a');
    router.deleteTenant('a');
    time.ms = 600_000;
    expect(keys.current('a')).toBeNull();
    expect(await keys.fetch('a')).toBe('gone');
    expect(keys.current('a')).toBeNull();
  });

  test('are held for a thousand tenants and no more', async () => {
    const { keys } = world();
    for (let n = 0; n < 1001; n++) await keys.fetch(`t${n}`);
    expect([keys.current('t0'), keys.current('t1') === null, keys.current('t1000') === null]).toEqual([null, false, false]);
  });

  test('are given by their id for opening, to their tenant alone, as long as they are not destroyed', async () => {
    const { keys, router } = world();
    await keys.fetch('a');
    const { id } = keys.current('a')!;
    expect((await keys.byId('a', id))?.key.equals(keys.current('a')!.key)).toBe(true);
    expect(await keys.byId('b', id)).toBeNull();
    router.shred('a');
    expect(await keys.byId('a', id)).toBeNull();
    router.isAway = true;
    await expect(keys.byId('a', id)).rejects.toThrow('no router');
  });
});
