import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundedJson } from './bounded-json.ts';

const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test('a reply of a provider is what JSON says it is, brackets and quotation marks in its strings included', () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), fc.string({ unit: fc.constantFrom('"', '\\', '[', '{', ']', 'x'), minLength: 600, maxLength: 800 }), (value, text) => {
    const json = JSON.stringify({ value, text });
    expect(boundedJson(json)).toEqual(JSON.parse(json));
  }));
});

test('one that is nested absurdly deep is an error, before anything recurses into it', () => {
  expect(JSON.stringify(boundedJson(nested(512)))).toBe(nested(512));
  expect(() => boundedJson(nested(513))).toThrow(RangeError);
  expect(() => boundedJson(`{"a":"\\\\","deep":${nested(20_000)}}`)).toThrow(RangeError);
});

test('what is no JSON is a syntax error', () => {
  expect(() => boundedJson(`"${'x'.repeat(1000)}\\`)).toThrow(SyntaxError);
  expect(() => boundedJson('{')).toThrow(SyntaxError);
});
