import { readFileSync } from 'node:fs';
import { splitWords, WordPiece } from './wordpiece.ts';

const vocabulary = readFileSync(new URL('../../../../models/static-256/vocab.txt', import.meta.url), 'utf8');
const lines = vocabulary.split('\n');
const wordPiece = new WordPiece(vocabulary);
const pieces = (text: string): string[] => wordPiece.encode(text, 254).map((id) => lines[id] ?? '?');

test.each([
  ['What is the capital of France?', ['what', 'is', 'the', 'capital', 'of', 'france', '?']],
  ['unaffable', ['una', '##ffa', '##ble']],
  ["Don't stop-now", ['don', "'", 't', 'stop', '-', 'now']],
  ['photosynthesis', ['photos', '##yn', '##thesis']],
  ['résumé Köln', ['resume', 'koln']],
  ['re\u0301sume\u0301', ['resume']],
  ['C++ & C#', ['c', '+', '+', '&', 'c', '#']],
  ['我的', ['我', '的']],
  ['a\u00a0b\u3000c\td\ne', ['a', 'b', 'c', 'd', 'e']],
  ['zero\u200bwidth\u00adhyphen', ['zero', '##wi', '##dt', '##hh', '##yp', '##hen']],
  ['“quoted” – dash…', ['“', 'quoted', '”', '–', 'dash', '…']],
  ['€5 £7', ['€', '##5', '£', '##7']],
  ['I love 🍕', ['i', 'love', '[UNK]']],
  ['nul\u0000l\ufffdx\u0007y', ['null', '##xy']],
  ['x'.repeat(101), ['[UNK]']],
  ['a\u2028b\u2029c', ['a', 'b', 'c']],
  ['', []],
])('%j is split as the reference does', (text, expected) => {
  expect(pieces(text)).toEqual(expected);
});

test('ids are the lines of the vocabulary', () => {
  expect(wordPiece.encode('hello world', 254)).toEqual([7592, 2088]);
  expect(wordPiece.unknownId).toBe(100);
  expect(wordPiece.size).toBe(30_522);
});

test('a long text is cut at the bound', () => {
  expect(wordPiece.encode('word '.repeat(1000), 254)).toHaveLength(254);
});

test('a word is cut the same way the second time, from the cache', () => {
  expect(wordPiece.encode('Kilimanjaro Kilimanjaro', 254).slice(0, 5)).toEqual(wordPiece.encode('kilimanjaro', 254));
});

test('names of object members are words like any other', () => {
  expect(splitWords('constructor __proto__')).toEqual(['constructor', '_', '_', 'proto', '_', '_']);
  expect(pieces('constructor toString')).not.toContain('[UNK]');
});
