import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { AttemptOutcome, RoutingSnapshot } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { HealthStore } from '../src/pool/health-store.ts';
import { Pool } from '../src/pool/pool.ts';
import type { Configuration } from '../src/snapshot/content.ts';
import { recorder } from './infrastructure.ts';
import { broken, content, limited, outcome, rejected, SnapshotStage, stored } from './snapshot-stage.ts';

jest.setTimeout(30_000);

const stage = new SnapshotStage();
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.begin());
afterEach(() => stage.end());

describe('outcomes of attempts', () => {
  test('reach every gateway in a snapshot, and a success takes the mark away', async () => {
    const { publisher, record } = await stage.replica();
    await publisher.adopt(content(['m']));
    await record([rejected]);
    const marked = await eventually('the mark', () => stage.snapshotsPushed().find((s) => s.deployments[0]!.credentials[0]!.unavailableUntilMs > Date.now()));
    expect(marked.deployments[0]!.credentials).toMatchObject([{ trouble: 'rejected' }, { unavailableUntilMs: 0 }]);
    expect(publisher.healthOf({ id: 'p/a', version: 'v1' })).toMatchObject({ trouble: 'rejected' });
    expect(publisher.healthOf({ id: 'p/a', version: 'v0' })).toEqual({ trouble: null, unavailableUntilMs: 0 });
    await record([{ atMs: Date.now() + 5 }]);
    await eventually('the mark to go', async () => (await stage.published())!.deployments[0]!.credentials[0]!.unavailableUntilMs === 0);
    expect((await stage.published())!.deployments[0]!.credentials[0]).not.toHaveProperty('trouble');
  });

  test('taken by different replicas at the same moment are all counted', async () => {
    const replicas = await Promise.all([stage.replica(), stage.replica(), stage.replica()]);
    for (const { publisher } of replicas) await publisher.adopt(content(['m', 'n']));
    const atMs = Date.now();
    await Promise.all(replicas.map(({ record }, i) => record([
      { deployment: 'p/n', credential: null, ...broken, atMs },
      { credential: i === 0 ? 'p/a' : 'p/b', ...limited },
    ])));
    expect((await new HealthStore(stage.redis).read()).of.get('d:p/n')?.window).toMatchObject({ seconds: [[Math.floor(atMs / 1000), 3, 3]], failuresInARow: 3 });
    await eventually('both marks in the published snapshot', async () => (await stage.published())!.deployments[0]!.credentials.every((c) => c.unavailableUntilMs > Date.now()));
    await Promise.all(replicas.map(({ publisher }) => publisher.stop()));
    expect((await stage.published())!.deployments.find((d) => d.id === 'p/n')!.unavailableUntilMs).toBe(0);
  });

  test('of things that the snapshot does not have are forgotten, and a warning names a credential that is rejected', async () => {
    const { publisher, record, lines } = await stage.replica();
    await publisher.adopt(content(['m']));
    await record([{ deployment: 'p/other', ...rejected }, { credential: 'p/other', ...rejected }, { version: 'v0', ...rejected }]);
    expect((await new HealthStore(stage.redis).read()).of.size).toBe(0);
    await record([rejected]);
    expect(lines.filter((line) => line['level'] === 'warn')).toMatchObject([{ credential: 'p/a@v1', msg: expect.stringContaining('rejects this credential') }]);
  });

  test('recorded by a replica that died before publishing are published by another', async () => {
    const [one, two] = await Promise.all([stage.replica(), stage.replica()]);
    for (const { publisher } of [one, two]) await publisher.adopt(content(['m']));
    two.publisher.start();
    await one.pool.record([outcome(limited)], one.publisher.content!);
    await eventually('publication by the other', async () => (await stage.published())!.deployments[0]!.credentials[0]!.unavailableUntilMs > 0);
    expect((await stage.published())!.version).toBe(two.publisher.version);
  });

  test('that are long over are dropped', async () => {
    const { publisher, record } = await stage.replica();
    await publisher.adopt(content(['m']));
    await record([limited, {}]);
    const later = new Pool(new HealthStore(stage.redis), recorder().logger, () => Date.now() + 2 * 3_600_000);
    expect(await later.forgetOld()).toBe(true);
    expect((await new HealthStore(stage.redis).read()).of.size).toBe(0);
  });
});

describe('a deployment whose calls fail', () => {
  /** Two models: what fails is set aside only while something else serves. */
  const twoDeployments = (): Configuration => {
    const { content: made, ...origin } = content(['m', 'n']);
    return { ...origin, content: { ...made, models: [{ ...made.models[0]!, deployments: made.models.flatMap((model) => model.deployments) }] } };
  };
  const ofDeployment = async (): Promise<RoutingSnapshot['deployments'][number]> => (await stage.published())!.deployments.find(({ id }) => id === 'p/m')!;

  test('is set aside by what three replicas saw together, tried after its pause, and back after one success', async () => {
    let nowMs = Date.now();
    const replicas = await Promise.all([1, 2, 3].map(() => stage.replica(() => nowMs)));
    for (const { publisher } of replicas) await publisher.adopt(twoDeployments());
    for (let i = 0; i < 4; i++) await replicas[i % 3]!.record([{ ...broken, atMs: nowMs }]);
    expect(await ofDeployment()).toMatchObject({ unavailableUntilMs: 0 });
    await replicas[1]!.record([{ ...broken, atMs: nowMs }]);
    const { unavailableUntilMs } = await eventually('the mark', async () => {
      const deployment = await ofDeployment();
      return deployment.trouble === 'failing' && deployment;
    });
    expect(unavailableUntilMs).toBe(nowMs + 5000);

    await replicas[0]!.record([{ atMs: nowMs + 1, durationMs: 1 }]); // another gateway has not heard of it yet
    nowMs = unavailableUntilMs + 1000;
    await replicas[1]!.pool.tick();
    expect(await ofDeployment()).toMatchObject({ trouble: 'failing', unavailableUntilMs });
    await replicas[2]!.record([{ atMs: nowMs, durationMs: 10 }]);
    await eventually('the mark to go', async () => (await ofDeployment()).trouble === undefined);
    const said = replicas.map(({ lines }) => lines.filter((line) => line['deployment'] === 'p/m').map((line) => line['msg']));
    expect(said).toEqual([[], ['set aside: too many of its calls fail', 'on probation: one request at a time tries whether it is usable again'], ['usable again']]);
    expect(replicas.map(({ pool }) => pool.setAsideCounts)).toEqual([[], [{ what: 'deployment', trouble: 'failing', count: 1 }], []]);
  });

  test('is judged alike however its outcomes are spread over replicas and batches', async () => {
    const replicas = await Promise.all([1, 2, 3].map(() => stage.replica()));
    for (const { publisher } of replicas) await publisher.adopt(twoDeployments());
    const atMs = Date.now();
    const outcomes = Array.from({ length: 60 }, (_, i): Partial<AttemptOutcome> => ({ atMs, ...(i % 10 === 0 && broken) }));
    await Promise.all(replicas.flatMap(({ record }, n) => [record(outcomes.slice(n * 20, n * 20 + 7)), record(outcomes.slice(n * 20 + 7, n * 20 + 20))]));
    const { of } = await new HealthStore(stage.redis).read();
    expect(of.get('d:p/m')).toMatchObject({ health: null, window: { seconds: [[Math.floor(atMs / 1000), 60, 6]] } });
    expect(await replicas[0]!.pool.deployments(replicas[0]!.publisher.content!, atMs)).toMatchObject([{ id: 'p/m', calls: 60, failures: 6 }, { id: 'p/n', calls: 0, failures: 0 }]);
  });

  test('is still known to fail after all replicas were started again', async () => {
    const before = await stage.replica();
    await before.publisher.adopt(twoDeployments());
    await before.record(Array.from({ length: 3 }, () => broken));
    await before.record([rejected]);
    await before.stop();
    const after = await stage.replica();
    await after.publisher.adopt(twoDeployments());
    await after.record([broken, broken]);
    const marked = await eventually('the mark', async () => {
      const deployment = await ofDeployment();
      return deployment.trouble === 'failing' && deployment;
    });
    expect(marked.credentials[0]!.trouble).toBe('rejected');
  });
});

describe('a credential whose calls fail', () => {
  const credentialsOf = async (): Promise<RoutingSnapshot['deployments'][number]['credentials']> => (await stage.published())!.deployments[0]!.credentials;

  test('at an address of its own is set aside by what three replicas saw together, counted with its deployment, and back after one success', async () => {
    let nowMs = Date.now();
    const replicas = await Promise.all([1, 2, 3].map(() => stage.replica(() => nowMs)));
    const elsewhere = { revision: 1, credentials: [stored({ baseUrl: 'http://127.0.0.1:9/v1' })] };
    for (const { publisher } of replicas) await publisher.adopt(content(['m'], 'v1', elsewhere));
    const own = { credential: 'p/s', version: 's1' };
    for (let i = 0; i < 5; i++) await replicas[i % 3]!.record([{ ...broken, ...own, atMs: nowMs }, { atMs: nowMs }]);
    const marked = await eventually('the mark', async () => (await credentialsOf()).find(({ trouble }) => trouble === 'failing'));
    expect(marked).toMatchObject({ id: 'p/s', unavailableUntilMs: nowMs + 5000 });
    const [view] = await replicas[0]!.pool.deployments(replicas[0]!.publisher.content!, nowMs);
    expect(view).toMatchObject({ calls: 10, failures: 5, trouble: null, credentials: [{ trouble: null }, { trouble: null }, { id: 'p/s', trouble: 'failing' }] });
    expect(replicas.flatMap(({ lines }) => lines.filter((line) => line['level'] === 'warn'))).toMatchObject([{ credential: 'p/s@s1', trouble: 'failing' }]);
    nowMs += 6000;
    await replicas[2]!.record([{ ...own, atMs: nowMs, durationMs: 10 }]);
    await eventually('the mark to go', async () => (await credentialsOf()).every(({ trouble }) => trouble === undefined));
  });

  test('while another one’s go well at the same address is set aside, and the deployment is not, whichever replica heard of which', async () => {
    const replicas = await Promise.all([stage.replica(), stage.replica()]);
    for (const { publisher } of replicas) await publisher.adopt(content(['m']));
    await replicas[0]!.record([{ credential: 'p/b' }]);
    for (let i = 0; i < 10; i++) await Promise.all([replicas[i % 2]!.record([broken]), replicas[(i + 1) % 2]!.record([{ credential: 'p/b' }])]);
    const [bad, good] = await eventually('the mark', async () => {
      const credentials = await credentialsOf();
      return credentials[0]!.trouble === 'failing' && credentials;
    }) as [object, object];
    expect([bad, good]).toMatchObject([{ id: 'p/a' }, { id: 'p/b', unavailableUntilMs: 0 }]);
    expect((await new HealthStore(stage.redis).read()).of.get('d:p/m')).toMatchObject({ health: null });
  });
});

describe('calls that go well', () => {
  test('are counted without a new snapshot, and without a new revision of health', async () => {
    const { publisher, record, pool } = await stage.replica();
    await publisher.adopt(content(['m']));
    for (let i = 0; i < 20; i++) await record([{}, {}]);
    const health = new HealthStore(stage.redis);
    expect([await health.revision(), (await stage.published())!.version]).toEqual([0, publisher.version]);
    await eventually('the one push', () => stage.pushed.length > 0);
    expect(stage.pushed).toHaveLength(1);
    expect(await pool.deployments(publisher.content!, Date.now())).toMatchObject([{ id: 'p/m', calls: 40, failures: 0, trouble: null }]);
  });

  test('tell the gateways how long the first byte takes: once for all replicas in a while, and again only when it moved', async () => {
    let nowMs = Date.now();
    const replicas = await Promise.all([1, 2].map(() => stage.replica(() => nowMs)));
    for (const { publisher } of replicas) await publisher.adopt(content(['m']));
    const [one, two] = replicas.map(({ pool }) => pool) as [Pool, Pool];
    const nextTurn = async (firstByteMs: number): Promise<boolean[]> => {
      await stage.redis.del('deja:routing:latencies-shown');
      nowMs += 120_000;
      await replicas[0]!.record([{ firstByteMs, atMs: nowMs }]);
      return [await one.tick(), await two.tick()];
    };
    expect(await nextTurn(1234)).toEqual([true, false]);
    expect(await nextTurn(1400)).toEqual([false, false]);
    expect(await nextTurn(2345)).toEqual([true, false]);
    await replicas[0]!.record([{ firstByteMs: 9000, atMs: nowMs }]);
    expect([await one.tick(), await two.tick()]).toEqual([false, false]);
    replicas[1]!.publisher.start();
    await eventually('the latency in the snapshot', async () => (await stage.published())!.deployments[0]!.firstByteMs === 2300);
  });
});

test('what may be said of a deployment: whom it serves, how its calls went, and its credentials’ current values', async () => {
  const { publisher, record, pool } = await stage.replica();
  const rotated = [stored({ version: 's2' }), stored({ weight: 0, retiring: true })];
  await publisher.adopt(content(['m'], 'v1', { revision: 1, credentials: rotated, drained: 'p/m' }));
  await record([{ firstByteMs: 40 }, { ...broken }, { ...rejected, credential: 'p/s', version: 's1' }, { ...rejected, credential: 'p/b' }]);
  const [view] = await pool.deployments(publisher.content!, Date.now());
  expect(view).toEqual({
    id: 'p/m', provider: 'p', kind: 'openai', upstreamModel: 'm', models: ['m'], drained: true, trouble: null, unavailableUntilMs: 0, firstByteMs: 40, calls: 2, failures: 1,
    credentials: [
      { id: 'p/a', trouble: null, unavailableUntilMs: 0 },
      { id: 'p/b', trouble: 'rejected', unavailableUntilMs: expect.any(Number) },
      { id: 'p/s', trouble: null, unavailableUntilMs: 0 },
    ],
  });
});
