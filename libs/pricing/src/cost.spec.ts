import fc from 'fast-check';
import type { Price, Usage } from '@deja/contracts';
import { costNanoUsd, expectedCostNanoUsd, explainCost, knownCostNanoUsd, partsCostNanoUsd } from './cost.ts';
import { plainCostNanoUsd } from './plain-cost.ts';

const usage = (of: Partial<Usage>): Usage => ({ promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0, ...of });
const flat = (of: Partial<Price>): Price => ({ version: 'v', input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null, ...of });

const count = fc.integer({ min: 0, max: 2_000_000 });
const anyRate = fc.integer({ min: 0, max: 600_000_000_000 });
const anyUsage = fc
  .tuple(count, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), count, count)
  .map(([promptTokens, a, b, completionTokens, reasoning]) => {
    const cachedTokens = Math.floor(promptTokens * a);
    const cacheWriteTokens = Math.floor((promptTokens - cachedTokens) * b);
    return usage({ promptTokens, cachedTokens, cacheWriteTokens, completionTokens, reasoningTokens: Math.min(reasoning, completionTokens) });
  });
const anyPrice = fc
  .record({ input: anyRate, cachedInput: anyRate, cacheWrite: anyRate, output: anyRate, longContext: fc.option(fc.record({ abovePromptTokens: count, input: anyRate, cachedInput: anyRate, output: anyRate })) })
  .map((rates): Price => ({ version: 'v', ...rates }));

test('the documented example: gpt-4o-mini, 1,000 in of which 400 cached, 500 out', () => {
  const price = flat({ input: 150_000_000, cachedInput: 75_000_000, cacheWrite: 150_000_000, output: 600_000_000 });
  expect(costNanoUsd(usage({ promptTokens: 1000, cachedTokens: 400, completionTokens: 500, reasoningTokens: 200 }), price)).toBe(90_000n + 30_000n + 300_000n);
});

test('the cost of an unknown price is unknown, of a price of 0 it is 0', () => {
  fc.assert(fc.property(anyUsage, (u) => {
    expect(costNanoUsd(u, null)).toBeNull();
    expect(costNanoUsd(u, flat({}))).toBe(0n);
  }));
});

test('cost is exact to half a nano-dollar, and half rounds up', () => {
  expect(costNanoUsd(usage({ promptTokens: 1 }), flat({ input: 500_000 }))).toBe(1n);
  expect(costNanoUsd(usage({ promptTokens: 1 }), flat({ input: 499_999 }))).toBe(0n);
  fc.assert(fc.property(anyUsage, anyPrice, (u, price) => {
    const long = price.longContext !== null && u.promptTokens > price.longContext.abovePromptTokens ? price.longContext : null;
    const of = long ?? price;
    const plain = u.promptTokens - u.cachedTokens - u.cacheWriteTokens;
    const write = long && price.input > 0 ? { top: BigInt(price.cacheWrite) * BigInt(long.input), bottom: BigInt(price.input) } : { top: BigInt(price.cacheWrite), bottom: 1n };
    const rest = BigInt(plain) * BigInt(of.input) + BigInt(u.cachedTokens) * BigInt(of.cachedInput) + BigInt(u.completionTokens) * BigInt(of.output);
    const exactTop = rest * write.bottom + BigInt(u.cacheWriteTokens) * write.top;
    const bottom = 1_000_000n * write.bottom;
    const off2 = 2n * (costNanoUsd(u, price)! * bottom - exactTop);
    expect(off2 > -bottom && off2 <= bottom).toBe(true);
  }));
});

test('without a tier, the costs of two calls add up to the cost of both, but for rounding', () => {
  fc.assert(fc.property(anyUsage, anyUsage, anyPrice, (a, b, price) => {
    const at = { ...price, longContext: null };
    const both = usage(Object.fromEntries(Object.entries(a).map(([k, v]) => [k, Number(v) + Number(b[k as keyof Usage])])));
    const off = costNanoUsd(both, at)! - costNanoUsd(a, at)! - costNanoUsd(b, at)!;
    expect(off >= -1n && off <= 1n).toBe(true);
  }));
});

test('every prompt token is charged exactly once, at one of its three rates', () => {
  const million = 1_000_000;
  const only = (price: Partial<Price>) => costNanoUsd(usage({ promptTokens: 10 * million, cachedTokens: 3 * million, cacheWriteTokens: 2 * million }), flat(price));
  expect([only({ input: 1 }), only({ cachedInput: 1 }), only({ cacheWrite: 1 })]).toEqual([5n, 3n, 2n]);
});

test('a prompt above the tier’s size is charged by the tier, whole; one of exactly that size is not', () => {
  const price = flat({ input: 1_000_000, cachedInput: 1_000_000, cacheWrite: 1_250_000, output: 3_000_000, longContext: { abovePromptTokens: 100, input: 2_000_000, cachedInput: 5_000_000, output: 7_000_000 } });
  expect(costNanoUsd(usage({ promptTokens: 100, completionTokens: 1 }), price)).toBe(103n);
  expect(costNanoUsd(usage({ promptTokens: 101, completionTokens: 1 }), price)).toBe(209n);
  expect(costNanoUsd(usage({ promptTokens: 104, cachedTokens: 100, cacheWriteTokens: 4 }), price)).toBe(510n);
});

test('inconsistent counts never make a negative cost or a crash', () => {
  const odd = fc.oneof(fc.integer(), fc.double(), fc.constant(Number.NaN)).filter((n) => Number.isNaN(n) || Math.abs(n) < 1e15);
  fc.assert(fc.property(fc.record({ promptTokens: odd, cachedTokens: odd, cacheWriteTokens: odd, completionTokens: odd, reasoningTokens: odd }), anyPrice, (u, price) => {
    expect(costNanoUsd(u, price)! >= 0n).toBe(true);
  }));
});

test('what a request is expected to cost is what it then costs, but for rounding', () => {
  fc.assert(fc.property(anyUsage, anyPrice, (u, price) => {
    const expected = expectedCostNanoUsd({ price, promptTokens: u.promptTokens, cachedTokens: u.cachedTokens, outputTokens: u.completionTokens })!;
    const cost = Number(costNanoUsd({ ...u, cacheWriteTokens: 0 }, price));
    expect(Math.abs(expected - cost)).toBeLessThanOrEqual(0.5 + cost * 1e-12);
  }));
});

test('what a request of unknown price costs cannot be expected either', () => {
  expect(expectedCostNanoUsd({ price: null, promptTokens: 1, cachedTokens: 0, outputTokens: 1 })).toBeNull();
});

test('no more of a prompt is expected to be cached than there is of it', () => {
  expect(expectedCostNanoUsd({ price: flat({ input: 2_000_000, cachedInput: 1_000_000 }), promptTokens: 10, cachedTokens: 99, outputTokens: 0 })).toBe(10);
});

test('attempts are known to have cost what each of them cost; shadows, and those of which usage or price is unknown, count nothing', () => {
  const attempt = fc.record({ usage: fc.option(anyUsage), price: fc.option(anyPrice), shadow: fc.boolean() });
  fc.assert(fc.property(fc.array(attempt), (attempts) => {
    const counted = attempts.filter(({ usage: u, price, shadow }) => u !== null && price !== null && !shadow);
    expect(knownCostNanoUsd(attempts)).toBe(counted.reduce((total, { usage: u, price }) => total + costNanoUsd(u!, price)!, 0n));
  }));
});

describe('what is not text', () => {
  const M = 1_000_000;
  const rates = { input: 1, cachedInput: 2, cacheWrite: 3, output: 10, audioInput: 100, imageInput: 1000, audioOutput: 100_000, imageOutput: 1_000_000, reasoning: 10_000_000 };

  test('every token is charged exactly once, at the rate of its kind', () => {
    const used = usage({
      promptTokens: 10 * M, cachedTokens: M, cacheWriteTokens: M, audioInputTokens: 2 * M, imageInputTokens: 3 * M,
      completionTokens: 10 * M, reasoningTokens: M, audioOutputTokens: 2 * M, imageOutputTokens: 3 * M,
    });
    expect(costNanoUsd(used, flat(rates))).toBe(3n + 2n + 3n + 200n + 3000n + 40n + 10_000_000n + 200_000n + 3_000_000n);
  });

  test('the parts of a prompt or an answer are never billed for more tokens than it has', () => {
    const n = fc.integer({ min: 0, max: 1000 });
    const any = fc.record({ promptTokens: n, cachedTokens: n, cacheWriteTokens: n, completionTokens: n, reasoningTokens: n, audioInputTokens: n, imageInputTokens: n, audioOutputTokens: n, imageOutputTokens: n });
    const one = flat({ input: M, cachedInput: M, cacheWrite: M, output: M, reasoning: M, audioInput: M, imageInput: M, audioOutput: M, imageOutput: M });
    fc.assert(fc.property(any, (u) => {
      expect(costNanoUsd(u, one)).toBe(BigInt(u.promptTokens + u.completionTokens));
    }));
  });

  test('what is used and has no rate makes the cost unknown, never 0; pictures in a prompt are text unless they have a rate', () => {
    const price = flat({ input: 5, output: 7 });
    const cost = (of: Partial<Usage>, at = price) => costNanoUsd(usage(of), at);
    expect(cost({ promptTokens: 2 * M, imageInputTokens: M })).toBe(10n);
    expect(cost({ promptTokens: 2 * M, audioInputTokens: M }, flat({ input: 5, audioInput: 'text' }))).toBe(10n);
    const unknown: Partial<Usage>[] = [
      { promptTokens: M, audioInputTokens: 1 }, { completionTokens: M, audioOutputTokens: 1 }, { completionTokens: M, imageOutputTokens: 1 },
      { images: 1 }, { audioSeconds: 0.5 }, { characters: 1 }, { promptTokens: 1, serviceTier: 'priority' },
    ];
    for (const of of unknown) expect(cost(of)).toBeNull();
    expect(cost({ promptTokens: 1 }, flat({ perAudioMinute: 1, tokenless: true }))).toBeNull();
  });

  test('pictures, minutes, characters and requests have their own units', () => {
    expect(costNanoUsd(usage({ images: 3 }), flat({ perImage: 40_000_000 }))).toBe(120_000_000n);
    expect(costNanoUsd(usage({ audioSeconds: 90.5 }), flat({ perAudioMinute: 6_000_000, tokenless: true }))).toBe(9_050_000n);
    expect(costNanoUsd(usage({ characters: 1234 }), flat({ perMillionCharacters: 15_000_000_000, tokenless: true }))).toBe(18_510_000n);
    expect(costNanoUsd(usage({ promptTokens: M }), flat({ input: 5, perRequest: 8_000_000 }))).toBe(8_000_005n);
  });

  test('a service tier multiplies all of it, exactly, and the sum is rounded once', () => {
    const price = flat({ input: 1_000_000, output: 1_000_000, perImage: 1, serviceTiers: { batch: 0.5, priority: 1.8 } });
    expect(costNanoUsd(usage({ promptTokens: 2, completionTokens: 3, images: 2, serviceTier: 'batch' }), price)).toBe(4n);
    expect(costNanoUsd(usage({ promptTokens: 5, serviceTier: 'priority' }), price)).toBe(9n);
    const million = fc.integer({ min: 0, max: 5_000_000 });
    fc.assert(fc.property(anyUsage, anyPrice, million, (u, rated, millionths) => {
      const at = { ...rated, longContext: null, serviceTiers: { flex: millionths / 1e6 } };
      const exact = BigInt(u.promptTokens - u.cachedTokens - u.cacheWriteTokens) * BigInt(at.input) + BigInt(u.cachedTokens) * BigInt(at.cachedInput) + BigInt(u.cacheWriteTokens) * BigInt(at.cacheWrite) + BigInt(u.completionTokens) * BigInt(at.output);
      const off2 = 2n * (costNanoUsd({ ...u, serviceTier: 'flex' }, at)! * 1_000_000_000_000n - exact * BigInt(millionths));
      expect(off2 > -1_000_000_000_000n && off2 <= 1_000_000_000_000n).toBe(true);
    }));
  });
});

describe('context lengths', () => {
  const tiers = [{ abovePromptTokens: 100, input: 2_000_000, cachedInput: 0, output: 0 }, { abovePromptTokens: 200, input: 4_000_000, cachedInput: 0, output: 0, cacheWrite: 9_000_000 }];
  const price = flat({ input: 1_000_000, cacheWrite: 1_000_000, longContext: tiers[0]!, tiers, serviceTiers: { batch: 1 } });
  const cost = (of: Partial<Usage>) => costNanoUsd(usage(of), price);

  test('of several, the longest that the prompt goes beyond has the rates', () => {
    expect([100, 101, 200, 201].map((promptTokens) => cost({ promptTokens }))).toEqual([100n, 202n, 400n, 804n]);
    expect(expectedCostNanoUsd({ price, promptTokens: 201, cachedTokens: 0, outputTokens: 0 })).toBe(804);
  });

  test('one that names its rate of cache writes has that, any other keeps the ratio', () => {
    expect(cost({ promptTokens: 150, cacheWriteTokens: 150 })).toBe(300n);
    expect(cost({ promptTokens: 300, cacheWriteTokens: 300 })).toBe(2700n);
  });

  test('the sum of a batch is no long prompt', () => {
    expect(cost({ promptTokens: 500, serviceTier: 'batch' })).toBe(500n);
  });
});

test('a bill says what of it is for what, and what has no rate', () => {
  const price = flat({ version: 'v7', input: 2_000_000, output: 8_000_000, serviceTiers: { flex: 0.5 } });
  expect(explainCost(usage({ promptTokens: 10, completionTokens: 1, serviceTier: 'flex' }), price)).toEqual({
    version: 'v7', costNanoUsd: 14n, missing: [], lines: [{ kind: 'input', quantity: 10n, costNanoUsd: 10n }, { kind: 'output', quantity: 1n, costNanoUsd: 4n }],
  });
  expect(explainCost(usage({ promptTokens: 10, images: 2 }), price)).toMatchObject({ costNanoUsd: null, missing: ['images'] });
  expect(explainCost(usage({ promptTokens: 10 }), null)).toEqual({ version: null, costNanoUsd: null, lines: [], missing: [] });
});

test('a bill has no line for nothing, and is unknown exactly where something is missing', () => {
  fc.assert(fc.property(anyUsage, anyPrice, fc.boolean(), (u, price, pictures) => {
    const { lines, missing, costNanoUsd: cost } = explainCost({ ...u, ...(pictures && { images: 1 }) }, price);
    expect(lines.every(({ quantity }) => quantity > 0n)).toBe(true);
    expect(cost === null).toBe(missing.length > 0);
  }));
});

test('the short way for tokens of text gives what the exact sum of all parts does, and is left where something else was used', () => {
  const counts = fc.oneof(fc.nat(100_000), fc.nat(100_000), fc.nat(100_000), fc.constantFrom(0, 0.4, 0.5, 1.5, Number.NaN, -3, 2 ** 40));
  const more = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.record({ images: fc.constantFrom(0, 1), audioSeconds: fc.constantFrom(0, 0.0001, 2), characters: fc.constantFrom(0, 9), audioInputTokens: fc.constantFrom(0, 7), serviceTier: fc.constantFrom('batch' as const, 'flex' as const) }, { requiredKeys: [] }));
  const used = fc.tuple(fc.record({ promptTokens: counts, cachedTokens: counts, cacheWriteTokens: counts, completionTokens: counts, reasoningTokens: counts }), more).map(([text, others]): Usage => ({ ...text, ...others }));
  const special = fc.record({ reasoning: fc.nat(1e9), perRequest: fc.nat(10_000_000), perImage: anyRate, audioInput: fc.constant('text' as const) }, { requiredKeys: [] });
  let short = 0;
  fc.assert(
    fc.property(used, anyPrice, fc.constantFrom(1, 1e3, 1e6), special, (u, rated, smaller, others) => {
      const rates = Object.fromEntries(['input', 'cachedInput', 'cacheWrite', 'output'].map((name) => [name, rated[name as 'input'] / smaller]));
      const price: Price = { ...rated, ...rates, ...others };
      const plain = plainCostNanoUsd(u, price);
      if (plain === null) return;
      short += 1;
      expect(BigInt(plain)).toBe(partsCostNanoUsd(u, price));
    }),
    { numRuns: 2000 },
  );
  expect(short).toBeGreaterThan(100);
});
