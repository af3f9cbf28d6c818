import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually, operationRow } from './client.ts';
import { cacheOf, SemanticCluster } from './semantic-cluster.ts';
import { areServed, AT_ONCE, burst, bursts, failures, keepAll, QUESTIONS } from './semantic-load.ts';

let stage: SemanticCluster;
beforeAll(async () => {
  stage = await SemanticCluster.start();
}, 90_000);
afterEach(() => stage.cluster.waitReady(), 40_000);
afterAll(() => stage?.stop());

test('entries are found again by semantic-caches that were killed with -9, one after the other, under load; no request failed', async () => {
  const { key } = await stage.tenant();
  await keepAll(stage, key);
  const replies = await bursts(stage, key, (async () => {
    for (const n of [1, 2]) await stage.cluster.killAndWait('semantic-cache', n);
  })());
  expect(failures(replies)).toEqual([]);
  expect(replies.length).toBeGreaterThan(2 * AT_ONCE);
  await areServed(stage, key);
}, 60_000);

test('entries are missed while no semantic-cache is there, and nothing else is', async () => {
  const { key } = await stage.tenant();
  await keepAll(stage, key);
  await Promise.all([1, 2].map((n) => stage.cluster.suspend('semantic-cache', n)));
  const replies = await burst(stage, key);
  expect(failures(replies)).toEqual([]);
  for (const [question, otherwise] of QUESTIONS) {
    expect(cacheOf(await stage.ask(otherwise, { key, headers: { 'cache-control': 'no-store' } }))).toBe('MISS semantic_unavailable');
    expect(cacheOf(await stage.ask(question, { key }))).toBe('HIT-EXACT');
  }
  await Promise.all([1, 2].map((n) => stage.cluster.resume('semantic-cache', n)));
  await areServed(stage, key);
}, 60_000);

test('entries may go with Redis: requests go on while it is started again, and what is kept afterwards is found', async () => {
  const { key } = await stage.tenant();
  await keepAll(stage, key);
  const replies = await bursts(stage, key, stage.cluster.killAndWait('redis'));
  expect(failures(replies)).toEqual([]);
  for (const reply of replies.slice(-AT_ONCE)) await operationRow(stage.cluster, reply.headers.get('x-request-id'), 30_000);
  const { key: fresh } = await stage.tenant();
  await eventually('the cache to keep again', async () => (await keepAll(stage, fresh).then(() => true, () => false)), 30_000);
  await areServed(stage, fresh);
}, 90_000);
