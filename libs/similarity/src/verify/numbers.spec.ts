import fc from 'fast-check';
import { readNumber, unitOf } from './numbers.ts';
import { readWords } from './read-words.ts';

const read = (text: string, at = 0): string | undefined => {
  const number = readNumber(readWords(text).words, at);
  return number === null ? undefined : number.value + (number.unit ?? '');
};

test.each([
  ['30', '30'], ['1,000', '1000'], ['1.5', '1.5'], ['.5', '0.5'], ['-5', '-5'], ['½', '0.5'], ['1/2', '0.5'], ['two hundred and fifty', '250'], ['twenty-five', '25'], ['twenty second', '22nd'], ['third', '3rd'], ['11th', '11th'],
  ['5kg', '5kg'], ['7am', '7:00am'], ['7 p.m.', '7:00pm'], ['7.30 PM', '7:30pm'], ['seven am', '7:00am'], ['noon', '12:00pm'], ['a dozen', undefined], ['dozen', '12'], ['3 million', '3000000'], ['5k', '5000'], ['mp3', 'mp3'],
  ['2024-05-02', '2024'], ['12/05/2024', '12/05/2024'], ['1.10', '1.10'], ['08:15', '8:15'], ['cat', undefined],
])('%j begins with the number %j', (text, value) => {
  expect(read(text)).toBe(value);
});

test.each([['the red one', 2], ['which one is it', 1], ['one of them', 0], ['no one', 1], ['how does one pay', 2]])('"one" in %j stands for a person or a thing', (text, at) => {
  expect(read(text, at)).toBeUndefined();
});
test.each([['one hour', 0], ['a table for one', 3], ['one hundred', 0]])('"one" in %j counts', (text, at) => {
  expect(read(text, at)).toMatch(/^1/);
});

test('a whole number is read as itself, with or without separators', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (n) => {
    expect(read(String(n))).toBe(String(n));
    expect(read(n.toLocaleString('en-US'))).toBe(String(n));
  }));
});

test('units have one name each; short ones count only behind a number', () => {
  expect(unitOf('kilograms', false)).toBe('kg');
  expect(unitOf('mins', true)).toBe('minute');
  expect(unitOf('c', true)).toBe('celsius');
  expect(unitOf('c', false)).toBeNull();
  expect(unitOf('second', false)).toBeNull();
  expect(unitOf('cat', true)).toBeNull();
});
