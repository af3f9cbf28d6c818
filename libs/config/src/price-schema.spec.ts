import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConfig } from './parse-config.ts';
import { pricesObject } from './price-schema.ts';

const NOTHING = { openaiApiKeys: [], openaiBaseUrl: null, variables: {} };
const parsed = (prices: string) => parseConfig(`prices:\n${prices}`, NOTHING);

function overrides(prices: string) {
  const result = parsed(prices);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config.settings.prices;
}

describe('prices of one’s own', () => {
  test('are one price, as ever', () => {
    expect(overrides('  m: { input_usd_per_million: 0.15, cached_input_usd_per_million: 0.075, output_usd_per_million: 0.6 }')).toEqual({
      m: { input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000, longContext: null },
    });
  });

  test('or several, each from its day on, the first one perhaps from the beginning', () => {
    const text = `  m:
    - { input_usd_per_million: 1, output_usd_per_million: 2 }
    - { input_usd_per_million: 3, output_usd_per_million: 4, valid_from: 2026-01-01 }
    - { input_usd_per_million: 5, output_usd_per_million: 6, valid_from: "2026-02-01T01:30:00+01:00" }`;
    expect(overrides(text)).toMatchObject({ m: [{ input: 1e9 }, { input: 3e9, validFromMs: Date.UTC(2026, 0, 1) }, { input: 5e9, validFromMs: Date.UTC(2026, 1, 1, 0, 30) }] });
  });

  test('name rates of all that is not text, lengths and tiers', () => {
    const text = `  m:
    input_usd_per_million: 2
    output_usd_per_million: 8
    reasoning_usd_per_million: 9
    audio_input_usd_per_million: 40
    audio_output_usd_per_million: 80
    image_input_usd_per_million: 10
    image_output_usd_per_million: 30
    usd_per_request: 0.005
    long_context:
      - { above_prompt_tokens: 100000, input_usd_per_million: 4, output_usd_per_million: 16 }
      - { above_prompt_tokens: 200000, input_usd_per_million: 8, cached_input_usd_per_million: 1, cache_write_usd_per_million: 10, output_usd_per_million: 32 }
    service_tiers: { batch: 0.5, priority: 1.8 }
  w: { usd_per_audio_minute: 0.006 }
  i: { usd_per_image: 0.04 }
  t: { usd_per_million_characters: 15 }`;
    const first = { abovePromptTokens: 100_000, input: 4e9, cachedInput: 4e9, output: 16e9 };
    const nothing = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null, tokenless: true };
    expect(overrides(text)).toEqual({
      m: {
        input: 2e9, cachedInput: 2e9, cacheWrite: 2e9, output: 8e9, reasoning: 9e9, audioInput: 40e9, audioOutput: 80e9, imageInput: 10e9, imageOutput: 30e9, perRequest: 5_000_000,
        longContext: first, tiers: [first, { abovePromptTokens: 200_000, input: 8e9, cachedInput: 1e9, cacheWrite: 10e9, output: 32e9 }], serviceTiers: { batch: 0.5, priority: 1.8 },
      },
      w: { ...nothing, perAudioMinute: 6_000_000 },
      i: { ...nothing, perImage: 40_000_000 },
      t: { ...nothing, perMillionCharacters: 15e9 },
    });
  });

  test.each([
    ['  m: { input_usd_per_million: 1 }', 'prices.m.output_usd_per_million', 'output_usd_per_million is missing: write output_usd_per_million: <number>'],
    ['  m: {}', 'prices.m.input_usd_per_million', 'input_usd_per_million is missing'],
    ['  m: { input_usd_per_million: dear, output_usd_per_million: 1 }', 'prices.m.input_usd_per_million', 'must be a number, but it is text'],
    ['  m: { input_usd_per_million: -1, output_usd_per_million: 1 }', 'prices.m.input_usd_per_million', 'must be at least 0'],
    ['  m: { input_usd_per_milion: 1, input_usd_per_million: 1, output_usd_per_million: 1 }', 'prices.m.input_usd_per_milion', 'unknown key "input_usd_per_milion" (did you mean "input_usd_per_million"?)'],
    ['  m: [{ input_usd_per_million: 1, ouput_usd_per_million: 1, output_usd_per_million: 1 }]', 'prices.m[0].ouput_usd_per_million', '(did you mean "output_usd_per_million"?)'],
    ['  m: [{ input_usd_per_million: 1 }]', 'prices.m[0].output_usd_per_million', 'is missing'],
    ['  m: []', 'prices.m', 'must have at least 1 items'],
    ['  m: { input_usd_per_million: 1, output_usd_per_million: 1, valid_from: yesterday }', 'prices.m.valid_from', 'write a day, as 2026-01-01'],
    ['  m: [{ input_usd_per_million: 1, output_usd_per_million: 1 }, { input_usd_per_million: 1, output_usd_per_million: 1 }]', 'prices.m[1].valid_from', 'valid_from is missing'],
    ['  m: [{ input_usd_per_million: 1, output_usd_per_million: 1, valid_from: 2026-02-01 }, { input_usd_per_million: 1, output_usd_per_million: 1, valid_from: 2026-01-01 }]', 'prices.m[1].valid_from', 'must be later'],
    ['  m: { usd_per_image: 1, reasoning_usd_per_million: 2 }', 'prices.m.reasoning_usd_per_million', 'says what tokens cost'],
    ['  m: { input_usd_per_million: 1, output_usd_per_million: 1, service_tiers: { bach: 0.5 } }', 'prices.m.service_tiers.bach', '(did you mean "batch"?)'],
  ])('that make no sense are refused, with their place: %s', (text, path, message) => {
    const result = parsed(text);
    expect(result.ok ? [] : result.errors).toContainEqual(expect.objectContaining({ path, message: expect.stringContaining(message) }));
  });

  test('are shown as they would be written: read again they are the same', () => {
    const usd = fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 1000);
    const length = fc.record({ above_prompt_tokens: fc.integer({ min: 1, max: 1e6 }), input_usd_per_million: usd, cache_write_usd_per_million: usd, output_usd_per_million: usd }, { requiredKeys: ['above_prompt_tokens', 'input_usd_per_million', 'output_usd_per_million'] });
    const price = fc.record(
      {
        input_usd_per_million: usd, output_usd_per_million: usd, cached_input_usd_per_million: usd, audio_input_usd_per_million: usd, usd_per_image: usd, service_tiers: fc.record({ flex: usd.map((n) => n / 100) }),
        long_context: fc.uniqueArray(length, { minLength: 1, maxLength: 3, selector: (one) => one.above_prompt_tokens }).map((all) => all.toSorted((a, b) => a.above_prompt_tokens - b.above_prompt_tokens)),
        valid_from: fc.integer({ min: 0, max: 20_000 }).map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10)),
      },
      { requiredKeys: ['input_usd_per_million', 'output_usd_per_million'] },
    );
    fc.assert(fc.property(price, (written) => {
      const first = overrides(`  m: ${JSON.stringify(written)}`);
      expect(overrides(`  m: ${JSON.stringify(pricesObject(first)['m'])}`)).toEqual(first);
    }));
  });
});
