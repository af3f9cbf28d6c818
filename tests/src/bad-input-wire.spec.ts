import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { complaintsAbout, type Known } from '../wire/bad-input.ts';
import { exchange, forEachAtOnce } from '../wire/exchange.ts';
import { legalOddities } from '../wire/legal.ts';
import { TABLES } from '../wire/table.ts';
import { post } from './client.ts';

const MAX_BODY_BYTES = 100_000;
const AT_ONCE = 32;
const UPSTREAM_SECRET = 'sk-upstream-wire-XYZZY';

let provider: FakeProvider;
let cluster: TestCluster;
let known: Known;
let pids: (number | null)[];

beforeAll(async () => {
  provider = await fakeProvider();
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: UPSTREAM_SECRET }] } },
      models: ['known', 'other'].map((name) => ({ name, deployments: [{ provider: 'fake', model: 'gpt-4o-mini' }] })),
      validation: { max_body_bytes: MAX_BODY_BYTES, max_output_tokens: 1000 },
      content_safety: { deny: ['(?i)project\\s+nightingale'] },
    },
  });
  known = { key: cluster.key, adminKey: cluster.adminKey, maxBodyBytes: MAX_BODY_BYTES };
  pids = cluster.apps.map(({ app, n }) => cluster.pid(app, n));
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** Requests that the provider got whole; an upload that was given up half-way is none. */
const reached = (): string[] => provider.requests.filter(({ abortedAtMs, method, rawBody }) => abortedAtMs === null && (rawBody.length > 0 || method !== 'POST')).map(({ method, path, rawBody }) => `${method} ${path} ${rawBody.toString().slice(0, 200)}`);

/** Errors that apps logged, and apps that died. */
function trouble(): string[] {
  const died = cluster.apps.filter(({ app, n }, i) => cluster.pid(app, n) !== pids[i]).map(({ app }) => `${app} died`);
  return [...died, ...cluster.lines.filter(({ text }) => /"level":"(?:error|fatal)"/.test(text)).map(({ from, text }) => `${from}: ${text.slice(0, 500)}`)];
}

describe('over a connection of its own, however little of HTTP it is', () => {
  test.each(Object.keys(TABLES))('%s that is bad gets its 4xx in OpenAI’s shape, and no provider hears of it', async (table) => {
    provider.reset();
    const wrong: string[] = [];
    await forEachAtOnce(TABLES[table]?.(known) ?? [], AT_ONCE, async (bad) => {
      const untilClosed = bad.closes === true || bad.ends === true;
      const seen = await exchange(cluster.url, bad.bytes, { replies: (bad.before ?? 0) + 1, untilClosed, end: bad.ends === true, isHead: bad.isHead === true });
      const complaints = complaintsAbout(bad, seen, [UPSTREAM_SECRET, known.key, known.adminKey]);
      if (complaints.length > 0) wrong.push(`${bad.name}: ${complaints.join('; ')}`);
    });
    expect(wrong).toEqual([]);
    expect(reached()).toEqual([]);
    expect(trouble()).toEqual([]);
  }, 60_000);

  test('the kinds are more than 300, each with a name of its own', () => {
    const kinds = Object.values(TABLES).flatMap((rows) => rows(known));
    const names = kinds.map(({ name }) => name);
    process.stdout.write(`${names.length} kinds of bad input: ${Object.entries(TABLES).map(([table, rows]) => `${rows(known).length} × ${table}`).join(', ')}\n`);
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(300);
  });

  test('what looks odd and is right is served, once for each request', async () => {
    const wrong: string[] = [];
    await forEachAtOnce(legalOddities(known), AT_ONCE, async ({ name, bytes, replies, isHead = false }) => {
      const seen = await exchange(cluster.url, bytes, { replies, untilClosed: false, end: false, isHead });
      const statuses = seen.replies.map(({ status }) => status);
      if (statuses.length !== replies || statuses.some((status) => status !== 200) || seen.rest.length > 0) wrong.push(`${name}: ${statuses.join()} ${seen.replies[0]?.body.toString().slice(0, 300) ?? ''}`);
    });
    expect(wrong).toEqual([]);
    expect(trouble()).toEqual([]);
  }, 60_000);

  test('after all of it the gateway serves as before', async () => {
    provider.reset();
    expect((await post(cluster, { model: 'known', messages: [{ role: 'user', content: 'Are you still there?' }] })).status).toBe(200);
    expect(reached()).toHaveLength(1);
  });
});
