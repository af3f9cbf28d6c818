import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fuzz, fuzzCluster } from '../fuzz/fuzz-session.ts';

let session: Awaited<ReturnType<typeof fuzzCluster>>;

beforeAll(async () => {
  session = await fuzzCluster();
}, 60_000);
afterAll(async () => {
  await session?.cluster.stop({ force: true });
  await session?.provider.close();
});

test('whatever is sent gets an answer in OpenAI’s shape, never a 5xx, and what is refused never reaches a provider', async () => {
  const { failures, byStatus, reached, requests } = await fuzz(session, { seed: 20, runs: 3500, seconds: 100 });
  expect(failures).toEqual([]);
  // All of it was walked: answers and refusals of every kind, and calls that went through.
  expect(Object.keys(byStatus)).toEqual(expect.arrayContaining(['200', '400', '401', '404', '413', '431']));
  expect(reached).toBeGreaterThan(requests / 20);
}, 150_000);
