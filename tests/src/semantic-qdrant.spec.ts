import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { FakeQdrant, TcpPath } from '@deja/testing';
import { eventually } from './client.ts';
import { cacheOf, SemanticCluster } from './semantic-cluster.ts';
import { areServed, burst, failures, keepAll, QUESTIONS } from './semantic-load.ts';

const MISS = /^MISS /;
const READY = 'the Qdrant index is ready';

describe('entries in Qdrant', () => {
  let qdrant: FakeQdrant;
  let path: TcpPath;
  let stage: SemanticCluster;
  beforeAll(async () => {
    qdrant = await FakeQdrant.start();
    path = await TcpPath.to(qdrant.url);
    stage = await SemanticCluster.start({ env: { QDRANT_URL: path.url.replace(/\/$/, '') } });
    await prepared(2);
  }, 90_000);
  /** A replica that was started anew prepares its index anew. */
  const prepared = (times: number): Promise<boolean> => eventually('the index of the semantic-caches', () => stage.cluster.logged(READY).length >= times);
  afterEach(() => path.set('open'));
  afterAll(async () => {
    await stage?.stop();
    await path?.close();
    await qdrant?.stop();
  });

  test('are found by every replica, whichever stored them, also when the others are gone', async () => {
    const { key } = await stage.tenant();
    await keepAll(stage, key);
    await areServed(stage, key);
    for (const n of [1, 2]) {
      await stage.cluster.suspend('semantic-cache', n);
      await areServed(stage, key);
      const before = stage.cluster.logged(READY).length;
      await stage.cluster.resume('semantic-cache', n);
      await prepared(before + 1);
    }
    expect(qdrant.requests.some(({ method, path: of }) => method === 'POST' && of.endsWith('/points/query'))).toBe(true);
    expect(stage.cluster.logged('Qdrant found an entry that may not be served')).toEqual([]);
  }, 60_000);

  test('that are taken back are served nowhere within a second, and lie in Qdrant no more', async () => {
    const { tenant, key } = await stage.tenant();
    await keepAll(stage, key);
    const [[question, otherwise]] = QUESTIONS;
    const done = await stage.admin.done('POST', 'cache/invalidate', { tenant, similar_to: question, min_similarity: 0.9 });
    await stage.goneEverywhere(otherwise, { key });
    expect(done).toMatchObject({ entries: 1 });
    await stage.servedAs(QUESTIONS[1][1], 'HIT-SEMANTIC', { key });
    await eventually('Qdrant without it', async () => (await stage.admin.done('POST', 'cache/invalidate', { tenant, similar_to: question, min_similarity: 0.9, dry_run: true }))['entries'] === 0);
  });

  test('that come before a replica has reached Qdrant are found as soon as it has', async () => {
    const { key } = await stage.tenant();
    path.set('cut');
    for (const n of [1, 2]) {
      await stage.cluster.suspend('semantic-cache', n);
      await stage.cluster.resume('semantic-cache', n);
    }
    const before = stage.cluster.logged(READY).length;
    for (const [question] of QUESTIONS) expect((await stage.ask(question, { key })).status).toBe(200);
    path.set('open');
    await areServed(stage, key);
    await prepared(before + 2);
  }, 60_000);

  test.each(['cut', 'hanging'] as const)('are missed while Qdrant is gone (%s), no request fails, and they are found when it is back', async (mode) => {
    const { key } = await stage.tenant();
    await keepAll(stage, key);
    path.set(mode);
    const replies = await burst(stage, key);
    expect(failures(replies)).toEqual([]);
    expect(replies.map(cacheOf).filter((cache) => !MISS.test(cache))).toEqual([]);
    for (const [question, otherwise] of QUESTIONS) {
      expect(cacheOf(await stage.look(otherwise, { key }))).toBe('MISS index_unavailable');
      expect(cacheOf(await stage.ask(question, { key }))).toBe('HIT-EXACT');
    }
    path.set('open');
    await areServed(stage, key);
  });
});
