import { expect, test } from '@jest/globals';
import { parseJsonBody } from './json-body.ts';
import { MOST_JSON_PARTS } from './json-size.ts';

const MANY = MOST_JSON_PARTS + 1;
const body = (json: string): Buffer => Buffer.from(`{"model":"m","input":${json}}`.padEnd(1024 * 1024 + 1, ' '));
const list = (item: string, n: number): string => `[${`${item},`.repeat(n - 1)}${item}]`;

test.each(['{}', '[]', '{"a":1}', ' { } '])('a large body of endless %s is refused before it is parsed', (item) => {
  expect(() => parseJsonBody(body(list(item, MANY)))).toThrow(expect.objectContaining({ code: 'invalid_value', message: expect.stringContaining(String(MOST_JSON_PARTS)) }));
});

test('a large body that is no JSON is told as that, or as too large, and not read for ever', () => {
  for (const bad of ['"no end', '"no end\\\\\\"', '[[[[']) expect(() => parseJsonBody(body(bad))).toThrow(expect.objectContaining({ code: 'invalid_json' }));
});

test.each<[string, string]>([
  ['numbers', list('1', 2 * MANY)],
  ['texts', list('"a"', 2 * MANY)],
  ['a text that looks like objects', JSON.stringify('{"\\":[]}'.repeat(MANY))],
])('a large body of many %s is read', (_, json) => {
  expect(parseJsonBody(body(json)).value['model']).toBe('m');
});
