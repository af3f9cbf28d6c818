import { readFileSync } from 'node:fs';
import { capabilityTableSource, parseCapability } from './capability-rows.ts';
import { capabilityOf } from './index.ts';
import { parseModels } from './model-rows.ts';

const csv = readFileSync(new URL('../data/capability.csv', import.meta.url), 'utf8');
const models = readFileSync(new URL('../data/models.csv', import.meta.url), 'utf8');
const rank = (upstreamModel: string, provider = 'p', kind: Parameters<typeof capabilityOf>[0]['kind'] = 'openai', overrides: Record<string, number> = {}) => capabilityOf({ provider, kind, upstreamModel, overrides });

/** Models that write, but nothing that one would choose by its capability. */
const OF_NO_RANK = /embed|image|tts|guard|safeguard|translate|model-router/;

test('the shipped table is exactly what capability.csv says', () => {
  expect(readFileSync(new URL('capability-table.ts', import.meta.url), 'utf8')).toBe(capabilityTableSource(csv));
});

test('every listed model that writes text has a rank, and every rank is from 0 to 100', () => {
  const writing = [...parseModels(models).values()].flat().filter((row) => row[7].includes('text')).map(([model]) => model);
  expect(writing.filter((model) => !OF_NO_RANK.test(model) && rank(model) === null)).toEqual([]);
  for (const model of writing) expect(rank(model) ?? 0).toBeLessThanOrEqual(100);
});

test.each([
  [['gpt-5-nano', 'gpt-5-mini', 'gpt-5', 'gpt-5-pro']],
  [['gpt-3.5-turbo', 'gpt-4', 'gpt-4o', 'gpt-4.1', 'gpt-5', 'gpt-5.1', 'gpt-5.2', 'gpt-5.4', 'gpt-5.5']],
  [['o1-mini', 'o1', 'o1-pro']],
  [['claude-haiku-4-5', 'claude-sonnet-4-5', 'claude-opus-4-5', 'claude-opus-4-6', 'claude-opus-4-7', 'claude-opus-4-8']],
  [['claude-3-haiku-20240307', 'claude-3-sonnet-20240229', 'claude-3-opus-20240229', 'claude-3-5-sonnet-20241022', 'claude-3-7-sonnet-20250219', 'claude-sonnet-4-0']],
  [['gemini-2.5-flash-lite', 'gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-3-pro-preview', 'gemini-3.1-pro-preview']],
  [['meta-llama-3.1-8b-instruct', 'meta-llama-3.1-70b-instruct', 'llama-3.3-70b-versatile', 'llama-4-maverick-17b-128e-instruct-fp8']],
  [['ministral-3b-latest', 'mistral-small-2506', 'mistral-medium-2508', 'mistral-large-2512']],
  [['deepseek-v3-0324', 'deepseek-v3.1', 'deepseek-v3.2', 'deepseek-v4-flash', 'deepseek-v4-pro']],
  [['grok-3', 'grok-4-fast-reasoning', 'grok-4-20-reasoning', 'grok-4.3']],
])('within a line, what is larger or newer ranks higher: %j', (line) => {
  const ranks = line.map((model) => rank(model) ?? -1);
  expect(ranks).toEqual([...new Set(ranks)].toSorted((a, b) => a - b));
});

test('an override of provider/model goes before one of the model, and both before the table', () => {
  const overrides = { 'east/gpt-4o': 1, 'gpt-4o': 2, mine: 0, 'simulated/x': 9 };
  expect([rank('gpt-4o', 'east', 'azure-openai', overrides), rank('gpt-4o', 'west', 'azure-openai', overrides), rank('mine', 'p', 'openai', overrides), rank('x', 'simulated', 'simulated', overrides)]).toEqual([1, 2, 0, 9]);
  expect(rank('gpt-5', 'east', 'openai', overrides)).toBe(rank('gpt-5'));
});

test('a dated snapshot counts as its model', () => {
  for (const [snapshot, model] of [['gpt-4o-mini-2024-07-18', 'gpt-4o-mini'], ['gpt-5-2025-08-07', 'gpt-5'], ['claude-haiku-4-5-20251001', 'claude-haiku-4-5'], ['o3-2025-04-16', 'o3']] as const) {
    expect(rank(snapshot)).toBe(rank(model));
    expect(rank(model)).not.toBeNull();
  }
});

test('a model is the same wherever it is served, and however its letters are written', () => {
  const same = ['openai/gpt-oss-120b', 'gpt-oss-120b', 'GPT-OSS-120B', 'accounts/x/models/gpt-oss-120b'];
  expect(new Set(same.map((model) => rank(model)))).toEqual(new Set([rank('gpt-oss-120b')]));
  expect(rank('meta-llama/Llama-3.3-70B-Instruct-Turbo', 'together')).toBe(rank('llama-3.3-70b-versatile', 'groq'));
  expect(rank('models/gemini-2.5-pro', 'g', 'gemini')).toBe(rank('gemini-2.5-pro', 'g', 'gemini'));
});

test('of the families that fit, the longest counts; one that only begins alike is none', () => {
  expect(rank('claude-opus-4-1-20250805')).toBe(rank('claude-opus-4-1'));
  expect(rank('claude-opus-4-20250514')).not.toBe(rank('claude-opus-4-1'));
  expect(rank('claude-sonnet-50')).toBeNull();
});

test.each(['gpt-4o-transcribe', 'gpt-6', 'ft:gpt-4o', 'text-embedding-3-small', 'gpt-image-1', '', '-', '--', '/', '__proto__', 'constructor', 'toString'])('nobody said how capable %j is', (model) => {
  expect(rank(model)).toBeNull();
});

test('nothing is known of a simulated model', () => {
  expect(rank('gpt-4o', 'simulated', 'simulated')).toBeNull();
});

test.each([
  ['a rank above 100', 'gpt-5,74', 'gpt-5,174'],
  ['a rank that is no number', 'gpt-5,74', 'gpt-5,high'],
  ['no rank', 'gpt-5,74', 'gpt-5,'],
  ['a name twice', 'gpt-5,74', 'gpt-5,74\ngpt-5,75'],
  ['another shape', 'gpt-5,74', 'gpt-5,74,1'],
  ['a star in the middle', 'gpt-5,74', 'gpt-*-5,74'],
])('%s is refused, not misread', (_what, before, after) => {
  expect(() => parseCapability(csv.replace(`\n${before}\n`, `\n${after}\n`))).toThrow(RangeError);
});
