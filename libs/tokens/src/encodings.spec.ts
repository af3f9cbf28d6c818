import { jest } from '@jest/globals';

const reads: string[] = [];
let readable = true;
const vocabulary = (name: string) => () => {
  reads.push(name);
  if (!readable) throw new Error('unreadable');
  return { default: Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)) };
};
jest.unstable_mockModule('gpt-tokenizer/bpeRanks/o200k_base', vocabulary('o200k_base'));
jest.unstable_mockModule('gpt-tokenizer/bpeRanks/cl100k_base', vocabulary('cl100k_base'));
const { countTokens, isWithin } = await import('./index.ts');
const parts = { texts: ['hello world'], messages: 1, images: [], tools: 0 };

test('a vocabulary is read when a prompt has to be counted, not before, and once', async () => {
  expect(await isWithin(parts, 1000, 'o200k_base')).toMatchObject({ within: true });
  expect(reads).toEqual([]);
  await Promise.all([countTokens(parts, 'o200k_base'), isWithin(parts, 10, 'o200k_base')]);
  await countTokens(parts, 'o200k_base');
  expect(reads).toEqual(['o200k_base']);
});

test('a vocabulary that could not be read is an error, and is tried again', async () => {
  readable = false;
  await expect(countTokens(parts, 'cl100k_base')).rejects.toThrow('unreadable');
  readable = true;
  expect(await countTokens(parts, 'cl100k_base')).toBe(11 + 4 + 3);
});
