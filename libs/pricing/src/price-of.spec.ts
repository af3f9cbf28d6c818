import { readFileSync } from 'node:fs';
import { parsePrices, priceTableSource } from './csv.ts';
import { PRICE_TABLE_VERSION, priceOf } from './index.ts';

const csv = readFileSync(new URL('../data/models.csv', import.meta.url), 'utf8');
const quote = (provider: string, kind: Parameters<typeof priceOf>[0]['kind'], upstreamModel: string, overrides: Parameters<typeof priceOf>[0]['overrides'] = {}) =>
  priceOf({ provider, kind, upstreamModel, overrides });
const rates = { input: 1, cachedInput: 2, cacheWrite: 3, output: 4, longContext: null };

test('the shipped table is exactly what models.csv says', () => {
  expect(readFileSync(new URL('price-table.ts', import.meta.url), 'utf8')).toBe(priceTableSource(csv));
});

test('the version of the table names its day and its content', () => {
  expect(PRICE_TABLE_VERSION).toMatch(/^\d{4}-\d{2}-\d{2}-[0-9a-f]{8}$/);
  expect(priceTableSource(csv.replace('gpt-4o-mini,0.15', 'gpt-4o-mini,0.16'))).not.toContain(PRICE_TABLE_VERSION);
});

test('every listed model has a price under its own provider', () => {
  const kinds = { anthropic: 'anthropic', google: 'gemini' } as const;
  for (const [provider, rows] of parsePrices(csv).rows) {
    const kind = provider === 'anthropic' || provider === 'google' ? kinds[provider] : 'openai';
    for (const [model, input, output] of rows) expect(quote(provider, kind, model)).toMatchObject({ input, output, version: PRICE_TABLE_VERSION });
  }
});

test('rates are integer nano-USD per million tokens', () => {
  expect(quote('openai', 'openai', 'gpt-4o-mini')).toEqual({
    version: PRICE_TABLE_VERSION, input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null,
  });
  expect(quote('g', 'gemini', 'models/gemini-2.5-pro')?.longContext).toEqual({ abovePromptTokens: 200_000, input: 2_500_000_000, cachedInput: 250_000_000, output: 15_000_000_000 });
  expect(quote('claude', 'anthropic', 'claude-haiku-4-5')).toMatchObject({ cachedInput: 100_000_000, cacheWrite: 1_250_000_000 });
});

test('an override of provider/model goes before one of the model, and both before the table', () => {
  const both = { 'azure-east/gpt-4o-mini': rates, 'gpt-4o-mini': { ...rates, input: 9 } };
  expect(quote('azure-east', 'azure-openai', 'gpt-4o-mini', both)).toMatchObject({ ...rates, version: expect.stringMatching(/^override:azure-east\/gpt-4o-mini-[0-9a-f]{8}$/) });
  expect(quote('openai', 'openai', 'gpt-4o-mini', both)).toMatchObject({ input: 9, version: expect.stringMatching(/^override:gpt-4o-mini-/) });
  expect(quote('openai', 'openai', 'gpt-4o', both)?.version).toBe(PRICE_TABLE_VERSION);
});

test('an override that changes its rates changes its version', () => {
  const version = (input: number) => quote('p', 'openai', 'm', { m: { ...rates, input } })?.version;
  expect(version(1)).toBe(version(1));
  expect(version(1)).not.toBe(version(2));
});

test('a dated snapshot without a row of its own has the price of its model; one with a row has its own', () => {
  expect(quote('openai', 'openai', 'gpt-4o-mini-2024-07-18')).toEqual(quote('openai', 'openai', 'gpt-4o-mini'));
  expect(quote('openai', 'openai', 'gpt-4o-2024-05-13')?.input).toBe(5_000_000_000);
  expect(quote('claude', 'anthropic', 'claude-opus-4-6-20260205')).toEqual(quote('claude', 'anthropic', 'claude-opus-4-6'));
});

test.each(['gpt-4o-mini-2024-13-01', 'gpt-4o-mini-0718', 'gpt-4o-mini-2024-07-18-ft', 'ft:gpt-4o-mini', 'GPT-4o-mini', 'gpt-4o-minier', '', '__proto__', 'constructor', 'toString'])(
  'the price of %j is unknown, never guessed',
  (model) => {
    expect(quote('openai', 'openai', model)).toBeNull();
  },
);

test('a vendor that speaks OpenAI’s language has its own prices first', () => {
  expect(quote('groq', 'openai', 'llama-3.1-8b-instant')).not.toBeNull();
  expect(quote('my-groq', 'openai', 'openai/gpt-oss-20b')).not.toBeNull();
  expect(quote('openai', 'openai', 'llama-3.1-8b-instant')).toBeNull();
  expect(quote('azure', 'openai', 'gpt-4')?.input).toBe(60_000_000_000);
  expect(quote('east', 'azure-openai', 'gpt-4')?.input).toBe(30_000_000_000);
  expect(quote('constructor', 'openai', 'gpt-4')?.input).toBe(30_000_000_000);
});

test('a simulated answer is known to cost nothing', () => {
  expect(quote('simulated', 'simulated', 'anything')).toMatchObject({ version: 'simulated', input: 0, output: 0 });
});

test('a list of another shape is refused, not misread', () => {
  expect(() => parsePrices(csv.replace('anthropic,claude-3-5-sonnet-20240620,3.0', 'anthropic,claude-3-5-sonnet-20240620,$3'))).toThrow(RangeError);
  expect(() => parsePrices(csv.replace('text+image+pdf', '"text,image"'))).toThrow('another shape');
});

test('OpenAI’s moderations are free, and say so; another vendor’s model of that kind has no price', () => {
  expect(quote('openai', 'openai', 'omni-moderation-latest')).toMatchObject({ input: 0, output: 0, version: 'openai-moderation' });
  expect(quote('claude', 'anthropic', 'omni-moderation-latest')).toBeNull();
});
