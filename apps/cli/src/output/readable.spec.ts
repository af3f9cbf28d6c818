import { expect, test } from '@jest/globals';
import { nanoUsd, usdText } from '@deja/contracts';
import fc from 'fast-check';
import { count, dollars, duration, exactDollars, minuteOf, percent, rate, secondOf } from './readable.ts';

test.each([
  [null, '–'], ['0', '$0'], ['12.3456789', '$12.35'], ['0.00334', '$0.00334'], ['0.000001', '$0.000001'], ['0.000000001', '$0.000000001'], ['0.123456789', '$0.1235'], ['0.5', '$0.50'], ['1234567.8', '$1,234,567.80'],
  ['0.99994', '$0.9999'], ['0.99996', '$1.00'], ['999.999', '$1,000.00'], ['-3.5', '-$3.50'], ['1', '$1.00'],
])('%s dollars read %s', (usd, text) => expect(dollars(usd)).toBe(text));

test('what money reads is off by half of its last digit at most, and nothing but nothing reads $0', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), (nano) => {
    const text = dollars(usdText(nano)).replaceAll(/[$,]/g, '');
    const off = nanoUsd(text) - nano;
    const lastDigit = 10n ** BigInt(9 - (text.split('.')[1]?.length ?? 0));
    expect([(off < 0n ? -off : off) * 2n <= lastDigit || off === 0n, nanoUsd(text) === 0n]).toEqual([true, nano === 0n]);
  }));
});

test('times are in UTC, numbers in groups, and a share is never rounded up', () => {
  expect([minuteOf('2026-01-31T12:34:56.000Z'), secondOf('2026-01-31T12:34:56.789Z'), minuteOf(null)]).toEqual(['2026-01-31 12:34', '2026-01-31 12:34:56', '–']);
  expect([count(1_234_567), count(999), count(null)]).toEqual(['1,234,567', '999', '–']);
  expect([duration(312.4), duration(999.6), duration(9960), duration(95_000), duration(null)]).toEqual(['312 ms', '1.0 s', '10 s', '95 s', '–']);
  expect([0, 0.0001, 0.0025, 0.13355, 0.99996, 1].map(rate)).toEqual(['0%', '0.01%', '0.25%', '13.3%', '99.9%', '100%']);
  expect([rate(null), exactDollars('12.345678901'), exactDollars('-0.000000001'), exactDollars(null)]).toEqual(['–', '$12.345678901', '-$0.000000001', '–']);
  expect([percent(0.99999), percent(1), percent(0.29), percent(1.5)]).toEqual(['99%', '100%', '29%', '150%']);
});
