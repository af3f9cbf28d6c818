import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Candidate, PriceOverride } from '@deja/contracts';
import { costNanoUsd } from '@deja/pricing';
import { promptCostNanoUsd, worstCase, type CostBounds } from './worst-case.ts';

const candidate = (provider: string, upstreamModel: string, kind: Candidate['deployment']['kind'] = 'openai'): Candidate => ({
  model: 'm',
  deployment: { id: `${provider}/${upstreamModel}`, provider, kind, baseUrl: 'http://h', apiVersion: null, upstreamModel, credentials: [], unavailableUntilMs: 0 },
  credential: null,
  upstreamModel,
});
const price = (of: Partial<PriceOverride> = {}): PriceOverride => ({ input: 1_000_000, cachedInput: 1_000_000, cacheWrite: 1_000_000, output: 2_000_000, longContext: null, ...of });
const bounds = (of: Partial<CostBounds> = {}): CostBounds => ({ promptTokens: 100, outputTokens: 10, mostOutputTokens: 1000, choices: 1, hedged: false, prices: {}, atMs: 0, ...of });

const rate = fc.integer({ min: 0, max: 100_000_000_000 });
const tokens = fc.integer({ min: 0, max: 300_000 });
const anyPrice = fc.record({
  input: rate, cachedInput: rate, cacheWrite: rate, output: rate,
  longContext: fc.option(fc.record({ abovePromptTokens: tokens, input: rate, cachedInput: rate, output: rate })),
  reasoning: fc.option(rate, { nil: undefined }), audioOutput: fc.option(rate, { nil: undefined }),
});

describe('what a request costs at most', () => {
  test('is never less than what it then costs, at whichever candidate and however the prompt was cached', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(fc.property(fc.array(anyPrice, { minLength: 1, maxLength: 4 }), tokens, tokens, fc.integer({ min: 1, max: 4 }), fc.nat(), fc.tuple(share, share, share, share, fc.boolean()), (given, promptTokens, outputTokens, choices, pick, [cached, written, answered, thought, spoken]) => {
      const prices = Object.fromEntries(given.map((one, n) => [`p/m${n}`, one]));
      const candidates = given.map((_, n) => candidate('p', `m${n}`));
      const { nanoUsd } = worstCase(candidates, bounds({ promptTokens, outputTokens, choices, prices }));
      const cachedTokens = Math.floor(promptTokens * cached);
      const served = given[pick % given.length]!;
      const completionTokens = Math.floor(outputTokens * choices * answered);
      const part = Math.floor(completionTokens * thought);
      const usage = {
        promptTokens, cachedTokens, cacheWriteTokens: Math.floor((promptTokens - cachedTokens) * written), completionTokens,
        reasoningTokens: part, ...(spoken && served.audioOutput !== undefined && { audioOutputTokens: completionTokens - part }),
      };
      expect(nanoUsd >= costNanoUsd(usage, { version: 'v', ...served })!).toBe(true);
      expect(nanoUsd >= promptCostNanoUsd(candidates[0]!, promptTokens, prices, 0)!).toBe(true);
    }));
  });

  test('is what the dearest candidate takes; where two may be asked at once, what the dearest two take', () => {
    const prices = { 'a/m': price({ input: 1_000_000 }), 'b/m': price({ input: 5_000_000 }), 'c/m': price({ input: 3_000_000 }) };
    const candidates = [candidate('a', 'm'), candidate('b', 'm'), candidate('b', 'm'), candidate('c', 'm')];
    expect(worstCase(candidates, bounds({ outputTokens: 0, prices })).nanoUsd).toBe(500n);
    expect(worstCase(candidates, bounds({ outputTokens: 0, prices, hedged: true })).nanoUsd).toBe(800n);
    expect(worstCase([candidate('a', 'm')], bounds({ outputTokens: 0, prices, hedged: true })).nanoUsd).toBe(100n);
  });

  test('counts every choice, and where the client did not bound the answer, the most that the model or the gateway allows', () => {
    const prices = { 'a/unheard-of': price({ input: 0, cacheWrite: 0, cachedInput: 0 }), 'a/gpt-4o': price({ input: 0, cacheWrite: 0, cachedInput: 0 }) };
    const cost = (upstreamModel: string, of: Partial<CostBounds>): bigint => worstCase([candidate('a', upstreamModel)], bounds({ prices, ...of })).nanoUsd;
    expect(cost('unheard-of', { choices: 3 })).toBe(60n);
    expect(cost('unheard-of', { outputTokens: null, mostOutputTokens: 700 })).toBe(1400n);
    expect(cost('gpt-4o', { outputTokens: null, mostOutputTokens: 1_000_000 })).toBe(32_768n); // 16,384 tokens are the model's own maximum
  });

  test('an unknown price counts nothing, and is told', () => {
    const prices = { 'a/m': price() };
    const candidates = [candidate('a', 'm'), candidate('nobody', 'knows'), candidate('nobody', 'knows')];
    expect(worstCase(candidates, bounds({ outputTokens: 0, prices, hedged: true }))).toEqual({ nanoUsd: 100n, unpriced: ['nobody/knows'] });
    expect(worstCase([candidate('nobody', 'knows')], bounds())).toEqual({ nanoUsd: 0n, unpriced: ['nobody/knows'] });
    expect(promptCostNanoUsd(candidate('nobody', 'knows'), 5, {}, 0)).toBeNull();
  });

  test('what is known to be free costs nothing, and is not told', () => {
    expect(worstCase([candidate('sim', 'm', 'simulated')], bounds())).toEqual({ nanoUsd: 0n, unpriced: [] });
  });
});
