import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { RoutingSnapshot } from '@deja/contracts';
import { openRedis, whenReady } from '@deja/redis';
import { eventually } from '@deja/testing';
import { PushChannel } from '../src/push-channel.ts';
import { followVaultChanges } from '../src/snapshot/follow-vault-changes.ts';
import { recorder } from './infrastructure.ts';
import { content, limited, SnapshotStage, stored } from './snapshot-stage.ts';

jest.setTimeout(30_000);

const stage = new SnapshotStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.begin());
afterEach(() => stage.end());

const modelsOf = (snapshot: RoutingSnapshot | null): string[] => (snapshot?.models ?? []).map((model) => model.name);

describe('the routing snapshot', () => {
  test('is written and pushed once by replicas that have the same configuration', async () => {
    const replicas = await Promise.all([stage.replica(), stage.replica(), stage.replica()]);
    await Promise.all(replicas.map(({ publisher }) => publisher.adopt(content(['m']))));
    expect(new Set(replicas.map(({ publisher }) => publisher.version)).size).toBe(1);
    const stored = await stage.published();
    expect(stored).toMatchObject({ version: replicas[0]!.publisher.version, models: [{ name: 'm' }], deployments: [{ id: 'p/m' }] });
    await eventually('the push', () => stage.pushed.length > 0);
    expect(stage.snapshotsPushed()).toEqual([stored]);
  });

  test('gets a higher version with each change of configuration, and a change back is a change', async () => {
    const { publisher } = await stage.replica();
    const versions: number[] = [];
    for (const models of [['m'], ['m', 'n'], ['m']]) {
      await publisher.adopt(content(models));
      versions.push(publisher.version);
      expect(modelsOf(await stage.published())).toEqual(models);
    }
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    expect(versions).toHaveLength(3);
  });

  test('is published again after Redis lost everything, with a version that still grows', async () => {
    const [one, two] = await Promise.all([stage.replica(), stage.replica()]);
    for (const { publisher } of [one, two]) {
      await publisher.adopt(content(['m']));
      publisher.start();
    }
    const before = (await stage.published())!;
    await stage.redis.flushall();
    const again = await eventually('the snapshot to come back', () => stage.published());
    expect(again.version).toBeGreaterThan(before.version);
    expect(again.deployments).toEqual(before.deployments);
  });

  test('is published as soon as Redis is there, when Redis was away at the start', async () => {
    const one = await stage.replica();
    await stage.server.kill();
    await one.publisher.adopt(content(['m']));
    expect(one.publisher.isPublished).toBe(false);
    one.publisher.start();
    await stage.server.restart();
    await eventually('publication', () => one.publisher.isPublished);
    await whenReady(stage.redis, 25_000);
    expect(modelsOf(await stage.published())).toEqual(['m']);
  });

  test('of replicas with different configurations is that of the last to load one; they do not fight', async () => {
    const [older, newer] = await Promise.all([stage.replica(), stage.replica()]);
    await older.publisher.adopt(content(['m']));
    await newer.publisher.adopt(content(['m', 'n']));
    for (const { publisher } of [older, newer]) publisher.start();
    await eventually('the older one to notice', () => older.lines.some((line) => String(line['msg']).includes('another replica published a different configuration')));
    await older.record([limited]);
    const shown = await eventually('the health that the older one recorded', async () => {
      const stored = await stage.published();
      return stored?.deployments[0]?.credentials[0]?.unavailableUntilMs ? stored : null;
    });
    expect(modelsOf(shown)).toEqual(['m', 'n']);
    await eventually('the push', () => stage.snapshotsPushed().at(-1)?.version === shown.version);
    expect(stage.snapshotsPushed().map(modelsOf)).toEqual([['m'], ['m', 'n'], ['m', 'n']]);
    expect(older.lines.filter((line) => String(line['msg']).includes('another replica'))).toHaveLength(1);

    await older.publisher.adopt(content(['o', 'm']));
    expect(modelsOf(await stage.published())).toEqual(['o', 'm']);
  });

  test('of a configuration that no living replica has is replaced', async () => {
    const [older, newer] = await Promise.all([stage.replica(), stage.replica()]);
    await older.publisher.adopt(content(['m']));
    await newer.publisher.adopt(content(['m', 'n']));
    for (const { publisher } of [older, newer]) publisher.start();
    await eventually('the older one to give way', () => older.publisher.content!.models.length === 2);
    await newer.stop();
    await eventually('the older one to take over', async () => modelsOf(await stage.published()).length === 1);
    expect(modelsOf(await stage.published())).toEqual(['m']);
  });

  test('tells the gateways which credentials must not be used any more', async () => {
    const { publisher } = await stage.replica();
    await publisher.adopt(content(['m'], 'v1'));
    await publisher.adopt(content(['m'], 'v2'));
    await eventually('the revocation', () => stage.pushed.some((push) => push.kind === 'credential_revoked'));
    expect(stage.pushed.map((push) => push.kind)).toEqual(['snapshot', 'snapshot', 'credential_revoked']);
    expect(stage.pushed.at(-1)).toEqual({ kind: 'credential_revoked', ids: ['p/a@v1', 'p/b@v1'] });
  });
});

describe('what the admin API changes', () => {
  test('is published by whichever replica learns of it first; one that learns of it later neither warns nor takes it back', async () => {
    const [first, second] = await Promise.all([stage.replica(), stage.replica()]);
    for (const { publisher } of [first, second]) {
      await publisher.adopt(content(['m']));
      publisher.start();
    }
    await first.publisher.adopt(content(['m'], 'v1', { revision: 2, credentials: [stored()], drained: 'p/m' }));
    await eventually('the other replica to go along', () => second.publisher.version === first.publisher.version);
    // It read what was before the second change only now.
    await second.publisher.adopt(content(['m'], 'v1', { revision: 1 }));
    expect((await stage.published())!.deployments[0]).toMatchObject({ drained: true, credentials: [{ id: 'p/a' }, { id: 'p/b' }, stored()] });
    await second.publisher.adopt(content(['m'], 'v1', { revision: 2, credentials: [stored()], drained: 'p/m' }));
    await second.publisher.adopt(content(['m'], 'v1', { revision: 3 }));
    await eventually('the first replica to go along', () => first.publisher.version === second.publisher.version);
    await eventually('the last push', () => stage.snapshotsPushed().at(-1)?.version === first.publisher.version);
    expect(stage.snapshotsPushed().map((s) => s.deployments[0]!.credentials.length)).toEqual([2, 3, 2]);
    expect([...first.lines, ...second.lines].filter((line) => line['level'] === 'warn')).toEqual([]);
  });

  test('goes with the file that is in force, whichever replica has that', async () => {
    const [older, newer] = await Promise.all([stage.replica(), stage.replica()]);
    await older.publisher.adopt(content(['m']));
    await newer.publisher.adopt(content(['m', 'n']));
    for (const { publisher } of [older, newer]) publisher.start();
    const change = { revision: 1, credentials: [stored()] };
    await older.publisher.adopt(content(['m'], 'v1', change));
    expect(modelsOf(await stage.published())).toEqual(['m', 'n']);
    await newer.publisher.adopt(content(['m', 'n'], 'v1', change));
    const after = (await stage.published())!;
    expect([modelsOf(after), after.deployments[0]!.credentials.length]).toEqual([['m', 'n'], 3]);
  });

  test('goes back when no living replica knows of it any more, as after the database was restored', async () => {
    const one = await stage.replica();
    await one.publisher.adopt(content(['m'], 'v1', { revision: 7, credentials: [stored()] }));
    await one.stop();
    const two = await stage.replica();
    await two.publisher.adopt(content(['m'], 'v1', { revision: 3 }));
    expect((await stage.published())!.deployments[0]!.credentials).toHaveLength(3);
    two.publisher.start();
    await eventually('the earlier revision', async () => (await stage.published())!.deployments[0]!.credentials.length === 2);
    expect(two.publisher.content!.deployments[0]!.credentials).toHaveLength(2);
  });

  test('takes the former value of a rotated credential from the gateways when its grace is over, not before', async () => {
    const { publisher } = await stage.replica();
    const rotation = [[stored()], [stored({ version: 's2' }), stored({ weight: 0, retiring: true })], [stored({ version: 's2' })]];
    for (const [revision, credentials] of rotation.entries()) await publisher.adopt(content(['m'], 'v1', { revision, credentials }));
    await eventually('the revocation', () => stage.pushed.some((push) => push.kind === 'credential_revoked'));
    expect(stage.pushed.map((push) => push.kind)).toEqual(['snapshot', 'snapshot', 'snapshot', 'credential_revoked']);
    expect(stage.pushed.at(-1)).toEqual({ kind: 'credential_revoked', ids: ['p/s@s1'] });
  });

  test('is looked at when it is announced, and whenever an announcement may have been missed', async () => {
    const { logger } = recorder();
    const subscriber = openRedis(stage.server.url, { role: 'subscriber', name: 'router-push', logger });
    stage.closing.push(() => subscriber.disconnect());
    let looks = 0;
    followVaultChanges(subscriber, () => void looks++);
    await eventually('the first look', () => looks === 1);
    const push = new PushChannel(stage.redis, logger);
    await push.send({ kind: 'key_changed', keySha256: [] });
    await push.sayAlive();
    await push.send({ kind: 'vault_changed' });
    await eventually('the second look', () => looks === 2);
    subscriber.disconnect(true); // and comes back
    expect(await eventually('the third look', () => looks > 2 && looks)).toBe(3);
  });
});

test('each replica says every tick that it lives', async () => {
  const replicas = await Promise.all([stage.replica(), stage.replica()]);
  replicas.forEach(({ publisher }) => publisher.start());
  const signs = await eventually('signs of life', () => {
    const seen = stage.pushed.filter((push) => push.kind === 'router_alive');
    return seen.length >= 6 && seen;
  });
  expect(signs[0]).toEqual({ kind: 'router_alive' });
});
