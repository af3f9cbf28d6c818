import fc from 'fast-check';
import { betaCdf, betaQuantile, logGamma, normalUpperQuantile, rateInterval } from './beta.ts';

const shape = fc.double({ min: 0.05, max: 2000, noNaN: true });
const share = fc.double({ min: 1e-4, max: 1 - 1e-4, noNaN: true });

test('logGamma is that of factorials and of one half', () => {
  expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 10);
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
});

test.each([
  // Closed forms: Beta(1, 1) is uniform, Beta(a, 1) is x^a, Beta(1, b) is 1 − (1 − x)^b, Beta(2, 3) a polynomial, Beta(½, ½) the arcsine law.
  [0.3, 1, 1, 0.3],
  [0.9, 5, 1, 0.9 ** 5],
  [0.01, 1, 300, 1 - 0.99 ** 300],
  [0.5, 2, 3, 0.6875],
  [0.25, 0.5, 0.5, 1 / 3],
])('the distribution function at %f of Beta(%f, %f) is %f', (x, a, b, expected) => {
  expect(betaCdf(x, a, b)).toBeCloseTo(expected, 12);
});

test.each([
  [0.95, 1, 1, 0.95],
  [0.05, 1, 300, 1 - 0.95 ** (1 / 300)],
  [0.5, 3, 3, 0.5],
  [1e-4, 4, 1, 0.1],
])('the %f quantile of Beta(%f, %f) is %f', (p, a, b, expected) => {
  expect(betaQuantile(p, a, b)).toBeCloseTo(expected, 11);
});

test('a quantile put into the distribution function gives its share back', () => {
  fc.assert(fc.property(share, shape, shape, (p, a, b) => {
    const x = betaQuantile(p, a, b);
    // At the very edges no number of this precision has the share.
    fc.pre(x > 1e-290 && x < 1 - 1e-9);
    expect(betaCdf(x, a, b)).toBeCloseTo(p, 6);
  }));
});

test('both tails add up to one, and more mass on the upper side moves the quantile up', () => {
  fc.assert(fc.property(share, shape, shape, (x, a, b) => {
    expect(betaCdf(x, a, b) + betaCdf(1 - x, b, a)).toBeCloseTo(1, 9);
    expect(betaQuantile(0.95, a + 1, b)).toBeGreaterThanOrEqual(betaQuantile(0.95, a, b));
  }));
});

test('intervals of rates are those of Clopper and Pearson', () => {
  expect(rateInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(1 - 0.025 ** (1 / 10), 10) });
  expect(rateInterval(10, 10)).toEqual({ low: expect.closeTo(0.025 ** (1 / 10), 10), high: 1 });
  // Standard table: 3 of 30.
  expect(rateInterval(3, 30)).toEqual({ low: expect.closeTo(0.0211, 4), high: expect.closeTo(0.2653, 4) });
});

test('the normal quantiles are the usual ones', () => {
  expect(normalUpperQuantile(0.025)).toBeCloseTo(1.96, 2);
  expect(normalUpperQuantile(0.5)).toBeCloseTo(0, 2);
});
