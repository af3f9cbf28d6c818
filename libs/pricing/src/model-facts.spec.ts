import { readFileSync } from 'node:fs';
import { modelFacts } from './index.ts';
import { modelTableSource, parseModels } from './model-rows.ts';

const csv = readFileSync(new URL('../data/models.csv', import.meta.url), 'utf8');
const facts = (provider: string, kind: Parameters<typeof modelFacts>[0]['kind'], upstreamModel: string) => modelFacts({ provider, kind, upstreamModel });

test('the shipped table is exactly what models.csv says', () => {
  expect(readFileSync(new URL('model-table.ts', import.meta.url), 'utf8')).toBe(modelTableSource(csv));
});

test('every listed model has its facts under its own provider', () => {
  const kinds = { anthropic: 'anthropic', google: 'gemini' } as const;
  for (const [provider, rows] of parseModels(csv)) {
    const kind = provider === 'anthropic' || provider === 'google' ? kinds[provider] : 'openai';
    for (const [model, contextTokens, maxOutputTokens] of rows) expect(facts(provider, kind, model)).toMatchObject({ contextTokens, maxOutputTokens });
  }
});

test('limits are tokens, abilities are said one by one', () => {
  expect(facts('openai', 'openai', 'gpt-4o-mini')).toEqual({
    contextTokens: 128_000, maxOutputTokens: 16_384, reasoning: false, toolCall: true, structuredOutput: true, input: ['text', 'image', 'pdf'], output: ['text'],
  });
  expect(facts('g', 'gemini', 'models/gemini-2.5-pro')).toMatchObject({ contextTokens: 1_048_576, reasoning: true, input: expect.arrayContaining(['audio', 'video']) });
  expect(facts('claude', 'anthropic', 'claude-haiku-4-5')).toMatchObject({ contextTokens: 200_000, maxOutputTokens: 64_000 });
  expect(facts('openai', 'openai', 'text-embedding-3-small')).toMatchObject({ contextTokens: 8191, toolCall: false });
});

test('a limit that the list does not know is null, not 0', () => {
  expect(facts('openai', 'openai', 'gpt-image-2')).toMatchObject({ contextTokens: null, maxOutputTokens: null, output: ['image'] });
});

test('a dated snapshot without a row of its own is its model; one with a row has its own', () => {
  expect(facts('openai', 'openai', 'gpt-4o-mini-2024-07-18')).toEqual(facts('openai', 'openai', 'gpt-4o-mini'));
  expect(facts('openai', 'openai', 'gpt-4o-2024-05-13')?.maxOutputTokens).toBe(4096);
  expect(facts('claude', 'anthropic', 'claude-opus-4-6-20260205')).toEqual(facts('claude', 'anthropic', 'claude-opus-4-6'));
});

test('a vendor that speaks OpenAI’s language has its own list first', () => {
  expect(facts('my-groq', 'openai', 'llama-3.1-8b-instant')).not.toBeNull();
  expect(facts('openai', 'openai', 'llama-3.1-8b-instant')).toBeNull();
  expect(facts('azure', 'openai', 'gpt-5')?.contextTokens).toBe(272_000);
  expect(facts('east', 'azure-openai', 'gpt-5')?.contextTokens).toBe(400_000);
});

test.each(['gpt-4o-mini-2024-13-01', 'ft:gpt-4o-mini', 'GPT-4o-mini', '', '__proto__', 'constructor'])('nothing is known of %j, and nothing guessed', (model) => {
  expect(facts('openai', 'openai', model)).toBeNull();
});

test('nothing is known of a simulated model', () => {
  expect(facts('simulated', 'simulated', 'gpt-4o')).toBeNull();
});

test.each([
  ['an unknown modality', 'text+image+pdf', 'text+smell'],
  ['a flag of another shape', '200000,8192,0,1,0', '200000,8192,0,yes,0'],
  ['a limit of another shape', '200000,8192,', '200k,8192,'],
])('%s is refused, not misread', (_what, before, after) => {
  expect(() => parseModels(csv.replace(before, after))).toThrow(RangeError);
});
