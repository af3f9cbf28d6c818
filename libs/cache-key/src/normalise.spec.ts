import fc from 'fast-check';
import { normaliseText } from './normalise.ts';

test.each([
  ['  What is\n the CAPITAL of France?! ', 'what is the capital of france'],
  ['What’s up…', "what's up"],
  ['ｗｈａｔ ｉｓ ＡＢＣ？', 'what is abc'],
  ['zero\u200bwidth\ufeff and soft\u00adhyphen', 'zerowidth and softhyphen'],
  ['cafe\u0301', 'café'],
  ['“Quoted”', '"quoted"'],
  ['tab\there\u00a0and\u3000there.', 'tab here and there'],
  ['?!.', ''],
  ['', ''],
  ['C++ or C#?', 'c++ or c#'],
  ['(really?)', '(really?)'],
])('%j is read as %j', (text, expected) => {
  expect(normaliseText(text)).toBe(expected);
});

test.each([
  ['What is 5²?', 'What is 52?'],
  ['What is 1½?', 'What is 11⁄2?'],
  ['What is 5!', 'What is 5?'],
  ['Define n!', 'Define n'],
  ['H₂O', 'H2O'],
  ['i < n', 'i <= n'],
  ['-5', '5'],
  ['1.5', '15'],
  ['x⁻¹', 'x-1'],
])('%j and %j stay apart', (a, b) => {
  expect(normaliseText(a)).not.toBe(normaliseText(b));
});

test('normalising twice changes nothing', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
    const once = normaliseText(text);
    expect(normaliseText(once)).toBe(once);
  }), { numRuns: 3000 });
});

test('a long run of punctuation or white space costs no more than its length', () => {
  expect(normaliseText(`a${' '.repeat(200_000)}${'!?'.repeat(100_000)}b`)).toHaveLength(200_003);
  expect(normaliseText(`word${'!'.repeat(100_000)}`)).toBe('word');
});
