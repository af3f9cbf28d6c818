import { readFileSync } from 'node:fs';
import { parsePrices } from './csv.ts';
import { PRICE_TABLE_VERSION, priceOf } from './index.ts';
import { parseOtherRates } from './other-rates.ts';
import { priceTableSource } from './price-rows.ts';

const csv = readFileSync(new URL('../data/models.csv', import.meta.url), 'utf8');
const others = readFileSync(new URL('../data/other-rates.csv', import.meta.url), 'utf8');
const NOW = Date.UTC(2026, 10, 26);
const quote = (provider: string, kind: Parameters<typeof priceOf>[0]['kind'], upstreamModel: string, overrides: Parameters<typeof priceOf>[0]['overrides'] = {}, atMs = NOW) =>
  priceOf({ provider, kind, upstreamModel, overrides, atMs });
const rates = { input: 1, cachedInput: 2, cacheWrite: 3, output: 4, longContext: null };

test('the shipped table is exactly what models.csv and other-rates.csv say', () => {
  expect(readFileSync(new URL('price-table.ts', import.meta.url), 'utf8')).toBe(priceTableSource(csv, others));
});

test('the version of the table names its day and its content', () => {
  expect(PRICE_TABLE_VERSION).toMatch(/^\d{4}-\d{2}-\d{2}-[0-9a-f]{8}$/);
  expect(priceTableSource(csv.replace('gpt-4o-mini,0.15', 'gpt-4o-mini,0.16'), others)).not.toContain(PRICE_TABLE_VERSION);
});

test('every listed model has a price under its own provider', () => {
  const kinds = { anthropic: 'anthropic', google: 'gemini' } as const;
  for (const [provider, rows] of parsePrices(csv).rows) {
    const kind = provider === 'anthropic' || provider === 'google' ? kinds[provider] : 'openai';
    for (const [model, input, output] of rows) {
      // Where pictures come out, the list has their rate.
      const rates = /image/.test(model) ? { input } : { input, output };
      expect(quote(provider, kind, model)).toMatchObject({ ...rates, version: PRICE_TABLE_VERSION });
    }
  }
});

test('rates are integer nano-USD per million tokens', () => {
  expect(quote('openai', 'openai', 'gpt-4o-mini')).toEqual({
    version: PRICE_TABLE_VERSION, input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null, serviceTiers: { batch: 0.5, flex: 0.5 },
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

test('a list names any number of context lengths, and a rate of its own for reasoning', () => {
  const two = csv.replace('gpt-5.5,5.0,30.0,0.5,,,272000:10.0:45.0:1.0,', 'gpt-5.5,5.0,30.0,0.5,,60.0,500000:20.0:90.0:;272000:10.0:45.0:1.0,');
  const [row] = parsePrices(two).rows.get('openai')!.filter(([model]) => model === 'gpt-5.5');
  const tiers = [[272_000, 10e9, 45e9, 1e9], [500_000, 20e9, 90e9, null]];
  expect(row).toEqual(['gpt-5.5', 5e9, 30e9, 5e8, null, tiers[0], { reasoning: 60e9, tiers }]);
});

describe('what is not text', () => {
  test('has the rates that providers publish, and otherwise none', () => {
    expect(quote('openai', 'openai', 'whisper-1')).toMatchObject({ perAudioMinute: 6_000_000, tokenless: true });
    expect(quote('openai', 'openai', 'tts-1-hd')).toMatchObject({ perMillionCharacters: 30e9, tokenless: true });
    expect(quote('openai', 'openai', 'gpt-audio-2025-08-28')).toMatchObject({ input: 2.5e9, audioInput: 32e9, audioOutput: 64e9 });
    expect(quote('openai', 'openai', 'gpt-image-1')).toMatchObject({ input: 5e9, imageInput: 10e9, imageOutput: 40e9 });
    expect(quote('g', 'gemini', 'gemini-2.5-pro')).toMatchObject({ audioInput: 'text' });
    expect(quote('openai', 'openai', 'gpt-4o')?.audioInput).toBeUndefined();
  });

  test('half of the price in a batch at those who say so', () => {
    expect(quote('claude', 'anthropic', 'claude-haiku-4-5')?.serviceTiers).toEqual({ batch: 0.5 });
    expect(quote('openai', 'openai', 'gpt-5-mini')?.serviceTiers).toEqual({ batch: 0.5, flex: 0.5, priority: 1.8 });
    expect(quote('my-mistral', 'openai', 'mistral-large-latest')?.serviceTiers).toBeUndefined();
  });
});

describe('prices change', () => {
  test('a request has the price of its own time: o3 became cheaper on 10 June 2025', () => {
    expect(quote('openai', 'openai', 'o3', {}, Date.UTC(2025, 5, 10) - 1)).toMatchObject({ input: 10e9, cachedInput: 2.5e9, output: 40e9 });
    expect(quote('openai', 'openai', 'o3', {}, Date.UTC(2025, 5, 10))).toMatchObject({ input: 2e9, cachedInput: 0.5e9, output: 8e9 });
  });

  test('of several overrides of a model the last that holds counts; before the first, the table', () => {
    const dated = { 'gpt-4o': [{ ...rates, validFromMs: 1000 }, { ...rates, input: 7, validFromMs: 2000 }] };
    const at = (atMs: number) => quote('openai', 'openai', 'gpt-4o', dated, atMs)!;
    expect([at(999).version, at(1000).input, at(1999).input, at(2000).input, at(NOW).input]).toEqual([PRICE_TABLE_VERSION, 1, 1, 7, 7]);
    expect(at(1000).version).toMatch(/^override:gpt-4o-[0-9a-f]{8}$/);
    expect(at(1000).version).not.toBe(at(2000).version);
    expect(quote('openai', 'openai', 'gpt-4o', { 'gpt-4o': { ...rates, validFromMs: 1000 } }, 999)?.version).toBe(PRICE_TABLE_VERSION);
  });
});

describe('a list of other rates', () => {
  const HEAD = 'provider,model,from,until,rate,usd,source,checked\n';
  const line = (of: Partial<Record<'model' | 'from' | 'until' | 'rate' | 'usd' | 'source', string>>) => ['openai', of.model ?? 'm', of.from ?? '', of.until ?? '', of.rate ?? 'input', of.usd ?? '1', of.source ?? 'https://x', ''].join(',') + '\n';

  test.each([
    [line({ rate: 'wisdom' }), 'a rate of no known name: wisdom'],
    [line({ from: '2026-13-01' }), 'not a day: 2026-13-01'],
    [line({ from: '2026-02-01', until: '2026-02-01' }), 'never holds'],
    [line({ source: '' }), 'without a source'],
    [line({ usd: '-1' }), 'below 0'],
    [line({ usd: 'text' }), 'not an amount'],
    [line({}) + line({ from: '2026-01-01' }), 'two rates for the same time'],
    [line({}).replace('openai', 'nobody'), 'rates of a provider that no model is of: nobody'],
  ])('is refused where it makes no sense: %j', (lines, message) => {
    expect(() => priceTableSource(csv, HEAD + lines)).toThrow(message);
  });

  test('says what holds when: one fact may follow another', () => {
    const { rates: facts } = parseOtherRates(`${HEAD}# a remark\n${line({ until: '2026-01-01' })}${line({ from: '2026-01-01', usd: '2' })}`);
    expect(facts.map(({ from, until, value }) => [from, until, value])).toEqual([[null, '2026-01-01', 1e9], ['2026-01-01', null, 2e9]]);
  });
});
