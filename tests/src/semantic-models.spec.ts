import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { hang, status, type ProviderRequest } from '@deja/testing';
import { eventually, operationRow, type Raw } from './client.ts';
import { cacheOf, GATEWAYS, modelOf, reasonOf, said, SemanticCluster } from './semantic-cluster.ts';
import { TRAPS } from './semantic-questions.ts';

const QUESTION = 'How do I clean a trombone?';
const OTHERWISE = 'How can I clean a trombone, please?';
const EMBEDDER = 'text-embedding-3-small';
const EMBEDDINGS = /^POST \/v1\/embeddings/;
/** More than any test makes calls. */
const MANY = 100;

interface ShadowRow {
  [column: string]: unknown;
  model: string;
  outcome: string;
}

let stage: SemanticCluster;

beforeAll(async () => {
  stage = await SemanticCluster.start({ cache: { semantic: { max_wrong_rate: 0.05 } } });
}, 90_000);
afterEach(() => stage.provider.reset());
afterAll(() => stage?.stop());

const rowOf = ({ headers }: Raw) => operationRow(stage.cluster, headers.get('x-request-id'));
const shadowsOf = ({ headers }: Raw): Promise<ShadowRow[]> => stage.cluster.sql<ShadowRow>('select * from usage.attempts where operation_id = $1 and shadow', [headers.get('x-request-id')]);
const embedded = (): ProviderRequest[] => stage.provider.requests.filter(({ path }) => path.endsWith('/embeddings'));
const inputsOf = (requests: ProviderRequest[]): string[] => requests.flatMap(({ body }) => (body as { input: string | string[] }).input);

/** The same in other words, which words alone leave open. Any verifier knows some of them. */
const PARAPHRASES: [kept: string, asked: string][] = [
  ['How can I become a better writer?', 'How do I improve as a writer?'],
  ['How do I improve a credit score?', 'How can a credit score be improved?'],
  ['How do I get better at chess?', 'How can I improve at chess?'],
  ['How can I earn money online?', 'What are the best ways to earn money online?'],
  ['How can I reduce stress at work?', 'How can stress at work be reduced?'],
];
/** A verifier that is late once has its opinion the next time; each replica has one of its own. */
const LOOKS = 6;

const describeWithVerifier = canVerify() ? describe : describe.skip;

describeWithVerifier('with a neural verifier (onnxruntime-node)', () => {
  test('a tenant whose verification is balanced is served paraphrases that words leave open, and no trap; one that is strict is served none', async () => {
    const [balanced, strict] = [await stage.tenant({ cache: { semantic: { verification: 'balanced' } } }), await stage.tenant()];
    const served: Raw[] = [];
    for (const [kept, asked] of PARAPHRASES) {
      for (const { key } of [balanced, strict]) await stage.kept(kept, { key });
      expect(cacheOf(await stage.look(asked, strict))).toBe('MISS not_verified');
      for (let n = 0; n < LOOKS; n++) {
        const reply = await stage.look(asked, { ...balanced, gateway: n % 2 });
        if (cacheOf(reply) === 'HIT-SEMANTIC') served.push(reply);
      }
    }
    expect(served.length).toBeGreaterThan(0);
    for (const reply of served) expect(reply.headers.get('x-cache-explanation')).toMatch(/^the same in other words, says the verifier \(\d+\.\d %\)$/);
    for (const [, kept, asked] of TRAPS.slice(0, 12)) {
      await stage.kept(kept, balanced);
      expect(reasonOf(await stage.look(asked, balanced))).toBe('not_verified');
    }
    expect(stage.cluster.logged('there is no neural verifier')).toEqual([]);
  });
});

describe('where a provider embeds the questions', () => {
  beforeAll(() => stage.configure({ semantic: { embedder: `fake:${EMBEDDER}` } }), 30_000);

  test('similar ones are found by its vectors, and each text is bought once by each gateway, for the account of who asked first', async () => {
    const { key } = await stage.tenant();
    const { reply: made, entry } = await stage.kept(QUESTION, { key });
    const first = await stage.servedAs(OTHERWISE, 'HIT-SEMANTIC', { key });
    expect([first.headers.get('x-cache-entry'), said(first)]).toEqual([entry, said(made)]);
    for (let n = 0; n < 3; n++) expect(cacheOf(await stage.look(OTHERWISE.toUpperCase(), { key }))).toBe('HIT-SEMANTIC');
    const texts = inputsOf(embedded());
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.filter((text) => /how can i clean a trombone/i.test(text))).toHaveLength(1);
    expect(embedded().every((request) => modelOf(request) === EMBEDDER)).toBe(true);

    const [call] = await eventually('the call in the ledger', async () => {
      const rows = await shadowsOf(made);
      return rows.length > 0 && rows;
    });
    expect(call).toMatchObject({ model: EMBEDDER, outcome: 'ok', usage_source: 'upstream', prompt_tokens: expect.any(Number), completion_tokens: 0 });
    expect(Number(call?.['cost_nano_usd'])).toBeGreaterThan(0);
    expect(await rowOf(first)).toMatchObject({ cache: 'HIT-SEMANTIC', cost_nano_usd: '0' });
  });

  test('its vectors decide nothing by themselves: what differs in what matters is refused however near they are', async () => {
    const { key } = await stage.tenant();
    for (const [, kept, asked] of TRAPS.slice(0, 5)) {
      await stage.kept(kept, { key });
      for (const gateway of GATEWAYS) expect(cacheOf(await stage.look(asked, { key, gateway }))).toBe('MISS not_verified');
    }
  });

  test('one that hangs is not waited for: the provider answers while it still does', async () => {
    const { key } = await stage.tenant();
    await stage.kept(QUESTION, { key });
    stage.provider.scriptPath(EMBEDDINGS, ...Array.from({ length: MANY }, () => hang()));
    const reply = await stage.ask(OTHERWISE, { key, headers: { 'cache-control': 'no-store' } });
    expect([reply.status, cacheOf(reply)]).toEqual([200, 'MISS embedder_unavailable']);
    const hanging = embedded().filter((request) => inputsOf([request])[0]?.includes('how can i clean'));
    expect(hanging.map(({ finishedAtMs, abortedAtMs }) => [finishedAtMs, abortedAtMs])).toEqual([[null, null]]);
    expect(await rowOf(reply)).toMatchObject({ outcome: 'ok', cache: 'MISS' });
  });

  test('one that fails makes no request fail, and the exact cache goes on', async () => {
    const { key } = await stage.tenant();
    stage.provider.scriptPath(EMBEDDINGS, ...Array.from({ length: MANY }, () => status(500)));
    await stage.ask('What is the boiling point of ethanol?', { key });
    for (const gateway of GATEWAYS) {
      expect(cacheOf(await stage.ask('What is the boiling point of ethanol?', { key, gateway }))).toBe('HIT-EXACT');
      const reply = await stage.look('What is the boiling point of ethanol, please?', { key, gateway });
      expect([reply.status, reply.headers.get('x-cache')]).toEqual([200, 'MISS']);
    }
  });

  test('answers cannot be taken back by similarity, which is said', async () => {
    const refused = await eventually('the semantic-caches to know the embedder', async () => {
      const reply = await stage.admin.call('POST', 'cache/invalidate', { similar_to: QUESTION, dry_run: true });
      return reply.status !== 200 && reply;
    });
    expect([refused.status, refused.json.error]).toMatchObject([400, { code: 'invalid_value', param: 'similar_to' }]);
  });
});

/** It is an optional dependency: there is none for every machine. */
function canVerify(): boolean {
  try {
    createRequire(import.meta.url)('onnxruntime-node');
    return true;
  } catch {
    return false;
  }
}
