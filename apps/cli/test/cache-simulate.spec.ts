import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { simulate } from '../src/cache/simulate.ts';
import type { SimulationReport } from '../src/cache/simulation-report.ts';
import { deja, type Ended } from './command-line.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deja-simulate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const START_S = 1_767_225_600;
const PASSWORD = 'How do I reset a forgotten password?';
/** The same but for the way it is asked. */
const PASSWORD_TOO = 'how can i reset a forgotten password';
/** The same but for synonyms. */
const STOP = 'What are the requirements to stop smoking?';
const QUIT = 'What are the requirements to quit smoking?';

interface Asked {
  text: string;
  /** Seconds after the start. */
  at?: number;
  tenant?: string;
  user?: string;
  key?: string;
  model?: string;
  system?: string;
  more?: object;
  response?: object;
  costUsd?: number;
}
const line = ({ text, at, tenant, user, key, model = 'gpt-4o-mini', system, more, response, costUsd }: Asked): string => JSON.stringify({
  request: { model, messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: text }], ...more },
  ...(at !== undefined && { at: START_S + at }), ...(response !== undefined && { response }), ...(costUsd !== undefined && { cost_usd: costUsd }), tenant, user, key,
});

async function run(lines: readonly string[], ...options: string[]): Promise<Ended> {
  const file = join(folder, 'log.jsonl');
  await writeFile(file, lines.join('\n'));
  return deja(['cache', 'simulate', file, ...options], { api: null });
}

async function report(asked: readonly (Asked | string)[], ...options: string[]): Promise<SimulationReport> {
  const { code, out, err } = await run(asked.map((one) => (typeof one === 'string' ? one : line(one))), '--json', ...options);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as SimulationReport;
}
/** [exact hits, semantic hits] for each TTL. */
const hits = ({ ttls }: SimulationReport): number[][] => ttls.map((ttl) => [ttl.exact_hits, ttl.semantic_hits]);

describe('exact caching', () => {
  test('the same request again is a hit, and what it saves is what it had cost', async () => {
    const { ttls: [ttl] } = await report([{ text: PASSWORD, at: 0, costUsd: 0.5 }, { text: PASSWORD, at: 1, costUsd: 0.25 }, { text: PASSWORD, at: 2, costUsd: 0.25 }], '--ttl', '5m');
    expect(ttl).toMatchObject({ requests: 3, exact_hits: 2, semantic_hits: 0, exact_hit_rate: 0.666667, saved_usd: '0.5', cost_usd: '1', reasons: { no_entry: 1 } });
  });

  test('an answer is served for its time and not longer, and a hit does not extend it', async () => {
    const asked = [0, 200, 299, 300, 599, 3700].map((at) => ({ text: PASSWORD, at }));
    expect(hits(await report(asked, '--ttl', '300,3600'))).toEqual([[3, 0], [4, 0]]);
    // A question whose exact answer is gone is still similar to itself; nobody has to look at such a pair.
    const apart = await report(asked, '--ttl', '3600', '--exact-ttl', '60s');
    expect([hits(apart), apart.merged_pairs]).toEqual([[[0, 4]], 0]);
  });

  test('failed, filtered and broken answers serve nobody; one that was cut serves the same question only', async () => {
    const ended = (finish: string | null): object => ({ choices: [{ index: 0, finish_reason: finish, message: { content: 'x' } }] });
    for (const response of [{ error: { message: 'x' } }, ended('content_filter'), ended(null)]) {
      expect(hits(await report([{ text: PASSWORD, response }, { text: PASSWORD }, { text: PASSWORD_TOO }], '--ttl', '1h'))).toEqual([[0, 1]]);
    }
    expect(hits(await report([{ text: PASSWORD, response: ended('length') }, { text: PASSWORD }, { text: PASSWORD_TOO }], '--ttl', '1h'))).toEqual([[1, 0]]);
  });

  test('what has no cost, tokens or time says so, and does not count as 0', async () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 100 };
    const { ttls: [ttl] } = await report([{ text: PASSWORD, model: 'nobody-knows-it', response: { usage } }, { text: PASSWORD, model: 'nobody-knows-it', response: { usage } }], '--ttl', '1h');
    expect(ttl).toMatchObject({ exact_hits: 1, saved_tokens: 1100, uncounted_hits: 0, unpriced_hits: 1, untimed_hits: 1, saved_usd: '0' });
  });
});

describe('semantic caching', () => {
  test('a question that asks the same is a hit with its estimated risk, and the pair is shown', async () => {
    const { ttls: [ttl], pairs: [pair], merged_pairs: merged } = await report([{ text: PASSWORD, at: 0 }, { text: PASSWORD_TOO, at: 1, costUsd: 0.1 }, { text: PASSWORD_TOO, at: 2, costUsd: 0.1 }], '--ttl', '1h');
    expect(ttl).toMatchObject({ exact_hits: 0, semantic_hits: 2, saved_usd: '0.2' });
    expect(ttl?.estimated_wrong).toBeGreaterThan(0);
    expect(ttl?.estimated_wrong_high).toBeGreaterThan(ttl?.estimated_wrong ?? 1);
    expect(ttl?.estimated_wrong_high).toBeLessThan(0.01);
    expect([merged, pair]).toEqual([1, expect.objectContaining({ a: PASSWORD, b: PASSWORD_TOO, tenant: 'default', lines: [1, 2], kind: 'surface' })]);
  });

  test.each<[string, Partial<Asked>]>([
    ['tenant', { tenant: 'beta' }], ['system prompt', { system: 'You are a pirate.' }], ['model', { model: 'gpt-4o' }], ['temperature', { more: { temperature: 1 } }],
  ])('another %s never shares an answer, exact or similar', async (_, other) => {
    const one = { tenant: 'acme', system: 'You help.' };
    expect(hits(await report([{ ...one, text: PASSWORD }, { ...one, ...other, text: PASSWORD }, { ...one, ...other, text: PASSWORD_TOO }], '--ttl', '1h'))).toEqual([[0, 1]]);
    expect(hits(await report([{ ...one, text: PASSWORD }, { ...one, ...other, text: PASSWORD_TOO }], '--ttl', '1h'))).toEqual([[0, 0]]);
  });

  test('by user and by key, answers stay with them; who names no user stays with the key', async () => {
    const asked = [{ user: 'u1', key: 'k1' }, { user: 'u2', key: 'k1' }, { user: 'u1', key: 'k2' }, { key: 'k1' }, { key: 'k1' }].map((who) => ({ ...who, text: PASSWORD }));
    const exact = async (scope: string): Promise<unknown> => (await report(asked, '--ttl', '1h', '--scope', scope)).ttls[0]?.exact_hits;
    expect([await exact('tenant'), await exact('user'), await exact('key')]).toEqual([4, 2, 3]);
    const mine = [{ text: 'Is my parcel on its way to Basel?', user: 'u1' }, { text: 'is my parcel on its way to basel', user: 'u1' }];
    expect([hits(await report(mine, '--ttl', '1h')), hits(await report(mine, '--ttl', '1h', '--scope', 'user'))]).toEqual([[[0, 0]], [[0, 1]]]);
  });

  test('questions that differ in what matters share nothing, and the reason is named as x-cache-reason names it', async () => {
    const { ttls: [ttl] } = await report([
      { text: 'How do I transfer 30 dollars to Zurich?' }, { text: 'How do I transfer 60 dollars to Zurich?' }, { text: 'How do I bake bread?' }, { text: 'What is the weather today?' }, { text: 'Is my order there?' }, { text: 'hi' },
      { text: PASSWORD, more: { seed: 1 } },
    ], '--ttl', '1h');
    expect(ttl).toMatchObject({ eligible: 3, semantic_hits: 0, reasons: { no_entry: 1, not_verified: 1, no_candidate: 1, time: 1, person: 1, too_short: 1, seed: 1 } });
  });

  test('with a bound of 0 nothing similar is served', async () => {
    const { ttls: [ttl] } = await report([{ text: PASSWORD }, { text: PASSWORD_TOO }], '--ttl', '1h', '--max-wrong-rate', '0');
    expect(ttl).toMatchObject({ semantic_hits: 0, estimated_wrong: null, reasons: { no_entry: 1, too_risky: 1 } });
  });

  test('the riskiest pairs stand first; all of them go to the file that is named', async () => {
    const file = join(folder, 'pairs.jsonl');
    const asked = [PASSWORD, STOP, PASSWORD_TOO, QUIT, PASSWORD_TOO].map((text, at) => ({ text, at, tenant: 'acme' }));
    const { merged_pairs: merged, pairs } = await report(asked, '--pairs', '1', '--pairs-out', file);
    expect([merged, pairs.map(({ kind, b }) => [kind, b])]).toEqual([2, [['synonym', QUIT]]]);
    const written = (await readFile(file, 'utf8')).trimEnd().split('\n').map((text) => JSON.parse(text) as object);
    expect(written).toEqual([{ a: PASSWORD, b: PASSWORD_TOO, kind: 'surface', similarity: expect.any(Number), explanation: expect.any(String), tenant: 'acme' }, { a: STOP, b: QUIT, kind: 'synonym', similarity: expect.any(Number), explanation: expect.any(String), tenant: 'acme' }]);
  });
});

describe('the log', () => {
  test('lines that cannot be read are counted and named, and the others count', async () => {
    const { requests, bad_lines: bad } = await report(['nonsense', { text: PASSWORD }, '{"request":{"messages":[]}}', '', { text: PASSWORD }]);
    expect([requests, bad]).toEqual([2, { count: 2, first: [{ line: 1, problem: 'is no JSON object' }, { line: 3, problem: 'has no model' }] }]);
  });

  test('a log without one line that can be read is refused, with what is wrong', async () => {
    expect(await run(['nonsense', '{}'])).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/has no line that can be read as a chat request\.\n {2}line 1 is no JSON object\n {2}line 2 has no chat request/) });
    expect(await run([])).toMatchObject({ code: 2, err: expect.stringContaining('is empty.') });
    expect(await deja(['cache', 'simulate', join(folder, 'nothing.jsonl')], { api: null })).toMatchObject({ code: 2, err: expect.stringContaining('cannot be read (ENOENT)') });
  });

  test('requests that are out of order of time are counted, and make nothing older or younger', async () => {
    const unordered = await report([{ text: PASSWORD, at: 1000 }, { text: PASSWORD, at: 0 }, { text: PASSWORD, at: 1200 }], '--ttl', '300');
    expect([unordered.out_of_order, hits(unordered), unordered.from, unordered.to]).toEqual([1, [[2, 0]], '2026-01-01T00:00:00.000Z', '2026-01-01T00:20:00.000Z']);
  });

  test('only as many requests are read as are asked for', async () => {
    expect((await report([{ text: PASSWORD }, { text: PASSWORD }, { text: PASSWORD }], '--limit', '2')).requests).toBe(2);
  });

  test('it may be piped', async () => {
    const options = { file: '-', scope: 'tenant', ttlsS: [60], exactTtlS: null, verification: 'strict', maxWrongRate: 0.01, pairs: 0, pairsOut: null, limit: null } as const;
    const piped = await simulate(options, Readable.from([Buffer.from(`${line({ text: PASSWORD })}\n${line({ text: PASSWORD })}`)]), () => Promise.reject(new Error('nothing to note')));
    expect(hits(piped)).toEqual([[1, 0]]);
  });
});

test('the report for people has a row for each TTL and tenant, the reasons and the pairs, and obeys nothing that a client sent', async () => {
  const { code, out, err } = await run([
    line({ text: PASSWORD, at: 0, tenant: 'acme', costUsd: 0.5 }), line({ text: PASSWORD, at: 0, tenant: 'beta\u001b[2J', costUsd: 0.5 }), line({ text: PASSWORD_TOO, at: 1, tenant: 'acme', costUsd: 0.5 }), 'nonsense',
  ], '--ttl', '5m,1h');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^3 requests of 2 tenants, 2026-01-01 00:00 to 2026-01-01 00:00 UTC\./);
  for (const text of ['1 line could not be read: line 4 is no JSON object', 'beta\\u{1b}[2J', 'no_entry', PASSWORD_TOO, '1 pair, the riskiest first']) expect(out).toContain(text);
  expect(out).toMatch(/^5m +3 +3 +0 \(0%\) +1 \(33\.3%\) +\$0\.50 of \$1\.50 /m);
  expect(out).toMatch(/^acme +1h +2 /m);
  expect(out).not.toMatch(/undefined|\[object|NaN|[^\P{Cc}\n]/u);
});

test('balanced serves no less than strict, and what it adds are paraphrases', async () => {
  const asked = [{ text: PASSWORD }, { text: PASSWORD_TOO }, { text: 'What are the steps to recover an account after the password was lost?' }];
  const [strict, balanced] = [await report(asked, '--ttl', '1h'), await report(asked, '--ttl', '1h', '--verification', 'balanced')];
  expect([strict.verifier, balanced.verifier]).toEqual([null, expect.stringMatching(/^verifier/)]);
  expect(balanced.ttls[0]?.semantic_hits).toBeGreaterThanOrEqual(strict.ttls[0]?.semantic_hits ?? Infinity);
  expect(balanced.pairs.filter(({ kind }) => kind !== 'paraphrase')).toEqual(strict.pairs);
});

test.each([
  ['--ttl 0', 'write a duration of at least a second'], ['--ttl soon', 'write a duration as'], ['--scope global', 'Allowed choices are tenant, user, key'], ['--max-wrong-rate 1%', 'write a share from 0 to 1'],
  ['--verification lax', 'Allowed choices are strict, balanced'], ['--pairs -1', 'write a number from 0 on'], ['--pairs-out /nowhere/at/all', 'cannot be written (ENOENT)'],
])('%s is wrong usage, and says what to write', async (options, message) => {
  const { code, out, err } = await run([line({ text: PASSWORD })], ...options.split(' '));
  expect([code, out, err.replaceAll(/\s+/g, ' ')]).toEqual([2, '', expect.stringContaining(message)]);
});
