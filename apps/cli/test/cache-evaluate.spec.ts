import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { EvaluationReport } from '../src/cache/evaluation-report.ts';
import { readModels } from '../src/cache/models.ts';
import { MODELS } from '../src/models-folder.ts';
import { deja, type Ended } from './command-line.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deja-evaluate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PAIRS = [
  { a: 'How do I reset a forgotten password?', b: 'how can i reset a forgotten password', same: true, kind: 'opening' },
  { text_a: 'What are the requirements to stop smoking?', text_b: 'What are the requirements to quit smoking?', label: 1, kind: 'synonym' },
  // Nobody but its asker is to get this answer.
  { a: 'Is my parcel on its way to Basel?', b: 'is my parcel on its way to basel', same: true, kind: 'case' },
  { a: 'How do I bake bread?', b: 'Where can I park a truck in Lyon?', same: true, kind: 'noise' },
  { a: 'How do I transfer 30 dollars to Zurich?', b: 'How do I transfer 60 dollars to Zurich?', same: false, kind: 'number' },
  { text_a: 'How do I turn dark mode on?', text_b: 'How do I turn dark mode off?', label: '0', kind: 'antonym' },
  // A label that is wrong on purpose.
  { a: 'How do I clean a window?', b: 'how do i clean a window', same: false, kind: 'noise' },
];

async function run(lines: readonly (object | string)[], ...options: string[]): Promise<Ended> {
  const file = join(folder, 'pairs.jsonl');
  await writeFile(file, lines.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n'));
  return deja(['cache', 'evaluate', file, ...options], { api: null });
}
async function report(lines: readonly (object | string)[], ...options: string[]): Promise<EvaluationReport> {
  const { code, out, err } = await run(lines, '--json', ...options);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as EvaluationReport;
}

test('a set made by hand has the figures that one counts by hand, alone and behind eligibility', async () => {
  const { pairs, ineligible, decisions } = await report(PAIRS, '--verification', 'strict');
  expect([pairs, ineligible]).toEqual([7, { same: 1, different: 0 }]);
  expect(decisions).toEqual([
    expect.objectContaining({ decision: 'strict', of: 'verdict', same: 4, different: 3, served_same: 3, served_different: 1, precision: 3 / 4, recall: 3 / 4, wrong_rate: 1 / 3 }),
    expect.objectContaining({ decision: 'strict', of: 'reached', served_same: 2, served_different: 1, precision: 2 / 3, recall: 1 / 2, wrong_rate: 1 / 3 }),
  ]);
  expect(decisions[0]?.kinds.map(({ kind, served_same: same, served_different: different }) => [kind, same, different])).toEqual([
    ['antonym', 0, 0], ['case', 1, 0], ['noise', 0, 1], ['number', 0, 0], ['opening', 1, 0], ['synonym', 1, 0],
  ]);
});

test('the curve says what similarity alone would do: it serves the traps', async () => {
  const { cosine_curve: points, logit_curve: logits } = await report(PAIRS, '--verification', 'strict');
  expect(points).toHaveLength(10);
  expect(points[0]).toEqual({ threshold: 0.5, precision: 1 / 2, recall: 3 / 4, wrong_rate: 1 });
  expect(logits).toEqual([]);
});

test('balanced stands beside strict, and serves no less', async () => {
  const { verifier, decisions } = await report([...PAIRS, { a: 'How do I bake bread?', b: 'How is bread made at home in an oven?', same: true }]);
  expect(verifier).toMatch(/^verifier/);
  expect(decisions.map(({ decision, of }) => [decision, of])).toEqual([['strict', 'verdict'], ['strict', 'reached'], ['balanced', 'verdict'], ['balanced', 'reached']]);
  expect(decisions[2]?.served_same).toBeGreaterThanOrEqual(decisions[0]?.served_same ?? Infinity);
});

test('pairs that would be served wrongly are shown when asked for, with what decided', async () => {
  expect((await report(PAIRS, '--verification', 'strict')).errors).toEqual([]);
  expect((await report(PAIRS, '--verification', 'strict', '--errors', '5')).errors).toEqual([
    { a: 'How do I clean a window?', b: 'how do i clean a window', kind: 'noise', similarity: 1, served_as: 'same_text', explanation: expect.any(String), reached: true },
  ]);
});

test('a packed file is read like any other, and lines that are no pairs are counted and named', async () => {
  const file = join(folder, 'pairs.jsonl.gz');
  await writeFile(file, gzipSync([...PAIRS.map((pair) => JSON.stringify(pair)), '{"a":"x"}', '{"a":"x","b":"y","same":"maybe"}'].join('\n')));
  const { code, out } = await deja(['cache', 'evaluate', file, '--verification', 'strict', '--json'], { api: null });
  expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ pairs: 7, bad_lines: { count: 2, first: [{ line: 8, problem: 'has no two texts: a and b' }, { line: 9, problem: 'does not say whether they are the same: same' }] } })]);
  expect(await run(['x'])).toMatchObject({ code: 2, err: expect.stringContaining('has no line that can be read as a labelled pair') });
});

test('the report for people has the figures, the kinds and the curve', async () => {
  const { code, out, err } = await run([...PAIRS, 'x'], '--verification', 'strict', '--errors', '1');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^7 pairs: 4 the same, 3 different\.\n1 of them would never meet/);
  expect(out).toMatch(/^strict +verdict alone +75% +75% \(3\/4\) +33\.4% \(1\/3\)$/m);
  expect(out).toMatch(/^number +– +0% \(0\/1\)$/m);
  expect(out).toMatch(/^ +0\.50 +50% +75% +100%$/m);
  for (const text of ['1 line could not be read: line 8 is no JSON object', 'Wrongly served', 'how do i clean a window']) expect(out).toContain(text);
  expect(out).not.toMatch(/undefined|\[object|NaN|[^\P{Cc}\n]/u);
});

test('where the neural verifier is not at hand, it is said why, and words decide', async () => {
  const models = join(folder, 'models');
  await mkdir(models);
  for (const name of ['static-256', 'lexicon', 'calibration']) await symlink(fileURLToPath(new URL(name, MODELS)), join(models, name));
  const { verifier, whyNoVerifier, verdicts } = await readModels({ neural: true, folder: pathToFileURL(`${models}/`) });
  expect([verifier, whyNoVerifier, verdicts.hasVerifier]).toEqual([null, expect.stringContaining('ENOENT'), false]);
  expect(await verdicts.opinions([['a', 'b']])).toEqual([null]);
  expect(verdicts.byWords('How do I clean a window?', 'how do i clean a window').decision).toBe('same');
});
