import fc from 'fast-check';
import type { Price, Usage } from '@deja/contracts';
import { costNanoUsd, expectedCostNanoUsd, knownCostNanoUsd } from './cost.ts';

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
    const both = usage(Object.fromEntries(Object.entries(a).map(([k, v]) => [k, v + b[k as keyof Usage]])));
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
