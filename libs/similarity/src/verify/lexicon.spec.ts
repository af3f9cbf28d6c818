import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Lexicon } from './lexicon.ts';
import { readLexicon } from './read-lexicon.ts';

const folder = new URL('../../../../models/lexicon/', import.meta.url);
let lexicon: Lexicon;
beforeAll(async () => { lexicon = await readLexicon(folder); });

test.each([
  ['cancelled', 'cancel', true], ['canceled', 'cancel', true], ['stopped', 'stop', true], ['went', 'go', true], ['planned', 'plan', true], ['children', 'child', false], ['paying', 'pay', false],
  ['boxes', 'box', false], ['taxes', 'tax', false], ['movies', 'movie', false], ['hours', 'hour', false], ['hourly', 'hourly', false], ['bus', 'bus', false], ['selling', 'sell', false], ['qwertzy', 'qwertzy', false],
])('%s is a form of %s', (form, base, past) => {
  expect(lexicon.inflectionOf(form)).toEqual({ base, past });
});

test('every word is found, the first and the last too; what is no word is not', () => {
  for (const word of ['aa', 'zymurgy', 'paris', 'canva', 'the', 'cancelled']) expect(lexicon.knows(word)).toBe(true);
  for (const word of ['', 'pasword', 'zzzzzz', 'a\tb', 'café']) expect(lexicon.knows(word)).toBe(false);
});

test('relations are read both ways', () => {
  for (const [a, b] of [['paris', 'rome'], ['oat', 'barley']] as const) {
    expect(lexicon.areSiblings(a, b)).toBe(true);
    expect(lexicon.areSiblings(b, a)).toBe(true);
  }
  expect(lexicon.areAntonyms('enable', 'disable')).toBe(true);
  expect(lexicon.areAntonyms('illegal', 'legal')).toBe(true);
  expect(lexicon.areAntonyms('cat', 'dog')).toBe(false);
  expect(lexicon.areSynonyms('attorney', 'lawyer')).toBe(true);
  expect(lexicon.areSynonyms('bank', 'shore')).toBe(false);
  expect(lexicon.isName('slovakia')).toBe(true);
  expect(lexicon.isName('turkey')).toBe(false);
  expect(lexicon.isPerson('tenant')).toBe(true);
  expect(lexicon.isPerson('account')).toBe(false);
});

test('a file that is not the one of the manifest is refused by name', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'deja-lexicon-'));
  try {
    await cp(folder, copy, { recursive: true });
    await writeFile(join(copy, 'lexicon.txt.gz'), 'x');
    await expect(readLexicon(pathToFileURL(`${copy}/`))).rejects.toThrow('lexicon.txt.gz');
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
});
