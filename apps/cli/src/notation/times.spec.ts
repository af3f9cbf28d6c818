import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseMoment, parseMs, parseSeconds, secondsWords } from './times.ts';

const NOW_MS = Date.UTC(2026, 0, 10, 12);

test('a duration is shown as it is typed', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 999_999_999 }), (seconds) => expect(parseSeconds(secondsWords(seconds))).toBe(seconds)));
});

test.each([['90', 90], ['90s', 90], ['15m', 900], ['24h', 86_400], ['7d', 604_800], ['2w', 1_209_600], ['0', 0]])('%s is %d seconds', (text, seconds) => expect(parseSeconds(text)).toBe(seconds));

test.each([['500ms', 500], ['2s', 2000], ['1m', 60_000]])('%s is %d milliseconds', (text, ms) => expect(parseMs(text)).toBe(ms));
test.each(['2', '', '1.5s', '-1s', '2ms3'])('%j says no milliseconds', (text) => {
  expect(() => parseMs(text)).toThrow('write a duration as 500ms, 2s or 1m');
});

test.each([
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T12:30Z', '2026-01-31T12:30:00.000Z'],
  ['2026-01-31T12:30:15+02:00', '2026-01-31T10:30:15.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('%s is %s', (text, moment) => expect(parseMoment(text, NOW_MS, -1)).toBe(moment));

test('a duration leads from now into the past or the future', () => {
  expect([parseMoment('24h', NOW_MS, -1), parseMoment('90d', NOW_MS, 1)]).toEqual(['2026-01-09T12:00:00.000Z', '2026-04-10T12:00:00.000Z']);
});

test.each(['2026-02-30', '2025-02-29', '2026-13-01', '2026-01-31T12:00', '2026-01-31 12:00Z', 'tomorrow', '7', '-7d', '7y', '2026-01-31T25:00Z', ''])('%j is no moment, and the message says what one is', (text) => {
  expect(() => parseMoment(text, NOW_MS, 1)).toThrow('write a moment as 2026-01-31');
});
