import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answer } from '@deja/testing';
import { attemptRows, operationRow } from './client.ts';
import { cacheOf, GATEWAYS, said, SemanticCluster, type Asking } from './semantic-cluster.ts';
import { PLAIN, REFUSED, TRAPS } from './semantic-questions.ts';

const QUESTION = 'How do I turn on dark mode?';
const OTHERWISE = 'How can I turn on dark mode, please?';
/** Takes longer than any look-up. */
const SLOW_MS = 1000;
const FORMS = [false, true];
const MISS = /^MISS (no_entry|no_candidate)$/;

let stage: SemanticCluster;

beforeAll(async () => {
  stage = await SemanticCluster.start({
    rules: { deny: [{ name: 'codename', pattern: '(?i)project nightingale', action: 'flag' }] },
  });
}, 90_000);
afterAll(() => stage?.stop());

const rowOf = (reply: { headers: Headers }) => operationRow(stage.cluster, reply.headers.get('x-request-id'));

describe('a question that was answered before, in other words of form,', () => {
  test.each(FORMS)('is answered from the cache by every gateway, whole and streamed, whichever the answer was (streamed: %s), and the ledger says what that saved', async (stream) => {
    const { key } = await stage.tenant();
    stage.provider.script(answer('Open Settings, then Display.', { beforeFirstByteMs: SLOW_MS }));
    const { reply: made, entry } = await stage.kept(QUESTION, { key, more: { stream } });
    expect(cacheOf(made)).toMatch(MISS);
    const bought = await rowOf(made);
    for (const gateway of GATEWAYS) {
      for (const streamed of FORMS) {
        const hit = await stage.look(OTHERWISE, { key, gateway, more: { stream: streamed } });
        expect(Object.fromEntries(['x-cache', 'x-cache-reason', 'x-cache-entry', 'x-cache-similarity', 'x-cache-explanation'].map((name) => [name, hit.headers.get(name)]))).toEqual({
          'x-cache': 'HIT-SEMANTIC', 'x-cache-reason': null, 'x-cache-entry': entry, 'x-cache-similarity': expect.stringMatching(/^0\.9\d{3}$/), 'x-cache-explanation': 'same words, put another way',
        });
        expect([hit.status, said(hit)]).toEqual([200, 'Open Settings, then Display.']);
        expect(hit.headers.get('content-type')).toMatch(streamed ? /^text\/event-stream/ : /^application\/json/);
        expect(hit.text.trimEnd().endsWith('data: [DONE]')).toBe(streamed);
        const row = await rowOf(hit);
        expect(row).toMatchObject({ cache: 'HIT-SEMANTIC', outcome: 'ok', usage_source: 'cache', cost_nano_usd: '0', saved_nano_usd: bought.cost_nano_usd });
        expect(Number((row as { saved_ms?: unknown }).saved_ms)).toBeGreaterThan(0);
        expect(await attemptRows(stage.cluster, row.id)).toEqual([]);
      }
    }
    expect(bought.cost_nano_usd).not.toBe('0');
  });

  test('is answered again and again, and never becomes an entry of its own that goes on to another question', async () => {
    const { key } = await stage.tenant();
    const { entry } = await stage.kept('How do I clean a trombone?', { key });
    for (const words of ['How can I clean a trombone?', 'What is the best way to clean a trombone?', 'how do i clean a trombone please']) {
      const hit = await stage.servedAs(words, 'HIT-SEMANTIC', { key });
      expect(hit.headers.get('x-cache-entry')).toBe(entry);
      expect((await stage.ask(words, { key })).headers.get('x-cache-entry')).toBe(entry);
    }
  });
});

describe('a question that differs in what matters is never answered by the other one’s answer:', () => {
  let key: string;
  beforeAll(async () => {
    ({ key } = await stage.tenant());
    await Promise.all(TRAPS.map(([, kept]) => stage.kept(kept, { key })));
  }, 60_000);

  test.each(TRAPS)('%s: %j, not %j', async (_, __, asked) => {
    for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(asked, { key, gateway }))).toBe('MISS not_verified');
  });
});

describe('an answer is for its context alone: it is no answer', () => {
  const SYSTEM = { role: 'system', content: 'You help customers of a shop.' };
  const TURNS = [{ role: 'user', content: 'I use the phone app.' }, { role: 'assistant', content: 'Good to know.' }] as const;
  const more = { temperature: 0.3, response_format: { type: 'text' } };
  const context: Asking = { earlier: [SYSTEM, ...TURNS], more };
  let key: string;
  beforeAll(async () => {
    ({ key } = await stage.tenant());
    await stage.kept(QUESTION, { ...context, key });
  });

  test('but in this very context it is one', async () => {
    for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(OTHERWISE, { ...context, key, gateway }))).toBe('HIT-SEMANTIC');
  });

  test.each<[differs: string, asking: Asking]>([
    ['an earlier question', { earlier: [SYSTEM, { role: 'user', content: 'I use the desktop app.' }, TURNS[1]] }],
    ['an earlier answer', { earlier: [SYSTEM, TURNS[0], { role: 'assistant', content: 'Good to hear.' }] }],
    ['more turns', { earlier: [SYSTEM, ...TURNS, ...TURNS] }],
    ['no earlier turn', { earlier: [SYSTEM] }],
    ['another system prompt', { earlier: [{ role: 'system', content: 'You help customers of a bank.' }, ...TURNS] }],
    ['no system prompt', { earlier: [...TURNS] }],
    ['another model', { more: { ...more, model: 'gpt-4o' } }],
    ['another temperature', { more: { ...more, temperature: 0.4 } }],
    ['no temperature', { more: { response_format: { type: 'text' } } }],
    ['another response format', { more: { ...more, response_format: { type: 'json_object' } } }],
    ['another bound of length', { more: { ...more, max_tokens: 50 } }],
  ])('where there is %s', async (_, asking) => {
    for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(OTHERWISE, { ...context, ...asking, key, gateway }))).toMatch(MISS);
  });

  /** Resolves where none of these is served what the kept answer would be. */
  async function expectNothing(...askers: Asking[]): Promise<void> {
    for (const asking of askers) for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(OTHERWISE, { ...asking, gateway }))).toMatch(MISS);
  }

  test('for another tenant', async () => {
    await stage.kept(QUESTION, { key: (await stage.tenant()).key });
    await expectNothing({ key: (await stage.tenant()).key });
  });

  test('for another key where answers stay with the key, and for another user where they stay with the user', async () => {
    const { tenant, key } = await stage.tenant({ cache: { scope: 'key' } });
    await stage.kept(QUESTION, { key });
    await expectNothing({ key: await stage.key(tenant) });

    const { key: shared } = await stage.tenant({ cache: { scope: 'user' } });
    const user = (name: string): Asking => ({ key: shared, headers: { 'x-deja-user': name } });
    await stage.kept(QUESTION, user('ann'));
    await expectNothing(user('bob'), { key: shared });
    await stage.servedAs(OTHERWISE, 'HIT-SEMANTIC', user('ann'));
  });
});

describe('what may not be answered by similarity says why:', () => {
  const KNOWN = [{ role: 'system', content: 'Of the rules of the cache.' }];

  test.each(REFUSED)('$reason, for $what, which the exact cache answers all the same', async ({ reason, content = PLAIN, earlier = [], more = {} }) => {
    const { key } = await stage.tenant();
    const asking = { key, more: { ...more, messages: [...KNOWN, ...earlier, { role: 'user', content }] } };
    expect(cacheOf(await stage.ask('', asking))).toBe(`MISS ${reason}`);
    expect(cacheOf(await stage.ask('', asking))).toBe('HIT-EXACT');
  });

  test('a search of the web is not cached at all', async () => {
    for (let n = 0; n < 2; n++) expect(cacheOf(await stage.ask(PLAIN, { more: { model: 'gpt-4o-search-preview', web_search_options: {} } }))).toBe('BYPASS live_search');
  });

  test('a question about a procedure is nobody’s own, and what is asked of a person stays with that user', async () => {
    const { key } = await stage.tenant();
    await stage.kept('How do I reset my password?', { key });
    await stage.servedAs('How can I reset my password?', 'HIT-SEMANTIC', { key });

    const { key: byUser } = await stage.tenant({ cache: { scope: 'user' } });
    const ann = { key: byUser, headers: { 'x-deja-user': 'ann' } };
    await stage.kept('Where is my order right on the map?', ann);
    expect(cacheOf(await stage.look('Where is my order right on the map, please?', { key: byUser, headers: { 'x-deja-user': 'bob' } }))).toMatch(MISS);
    expect(cacheOf(await stage.look('Where is my order right on the map, please?', { key: byUser }))).toBe('MISS person');
  });
});

describe('answers that are taken back by similarity', () => {
  const LIKE = 'How do I bake a chocolate cake?';
  const NEAR = ['How do I bake a chocolate cake without eggs?', 'How do I bake a chocolate cake for ten children?'];
  const FAR = 'What is the boiling point of ethanol?';

  test('are those that a dry run has listed, and no gateway serves one of them a second later', async () => {
    const { tenant, key } = await stage.tenant();
    const other = await stage.tenant();
    const kept = [];
    for (const text of [...NEAR, FAR]) kept.push(await stage.kept(text, { key }));
    await stage.kept(NEAR[0]!, { key: other.key });
    const conditions = { tenant, similar_to: LIKE, min_similarity: 0.6 };
    const dry = await stage.admin.done('POST', 'cache/invalidate', { ...conditions, dry_run: true });
    const matches = dry['matches'] as { tenant: string; entry: string; text: string; similarity: number }[];
    expect(dry).toMatchObject({ entries: NEAR.length, dry_run: true });
    expect(matches.map(({ text }) => text).sort()).toEqual([...NEAR].sort());
    expect(matches.map(({ entry }) => entry).sort()).toEqual(kept.slice(0, NEAR.length).map(({ entry }) => entry).sort());
    for (const text of NEAR) await stage.servedAs(`${text} Thanks!`, 'HIT-SEMANTIC', { key });

    const done = await stage.admin.done('POST', 'cache/invalidate', conditions);
    await Promise.all(NEAR.map((text) => stage.goneEverywhere(`${text} Thanks!`, { key })));
    expect(done).toMatchObject({ entries: NEAR.length, dry_run: false, matches });
    await stage.servedAs(`${FAR} Thanks!`, 'HIT-SEMANTIC', { key });
    await stage.servedAs(`${NEAR[0]!} Thanks!`, 'HIT-SEMANTIC', { key: other.key });
  });
});
