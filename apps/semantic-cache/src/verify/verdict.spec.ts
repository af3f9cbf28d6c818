import fc from 'fast-check';
import { verdict } from './verdict.ts';

test.each([
  ['What is the capital of France?', 'what is the capital of france'],
  ['What is the capital of France?', 'WHAT IS THE CAPITAL OF FRANCE?!'],
  ["What's  the time in Tokyo.", 'what’s the time in Tokyo'],
  ['Explain ｐｈｏｔｏｓｙｎｔｈｅｓｉｓ', 'explain photosynthesis'],
])('%j answers %j', (a, b) => {
  expect(verdict(a, b).accepted).toBe(true);
});

test.each([
  ['How do I turn dark mode on?', 'How do I turn dark mode off?', 'differs in wording'],
  ['How many W are 5 mW?', 'How many W are 5 MW?', 'differs in case: MW / mW'],
  ['How many W are 5 mW?', 'HOW MANY W ARE 5 MW?', 'differs in case: MW / mW'],
  ['Tell me about US history', 'Tell me about us history', 'differs in case: US / us'],
  ['What is 5² now?', 'What is 52 now?', 'differs in wording'],
])('%j does not answer %j: %s', (a, b, explanation) => {
  expect(verdict(a, b)).toEqual({ accepted: false, explanation });
});

test('the verdict does not depend on who asked first', () => {
  const variant = fc.constantFrom('US', 'us', 'Us', 'mW', 'MW', 'it', 'IT', 'power', 'POWER', '5', '5²', 'n!', '?', '!', ' ', '\u200b');
  const text = fc.array(variant, { maxLength: 6 }).map((words) => words.join(' '));
  fc.assert(fc.property(text, text, (a, b) => {
    expect(verdict(a, b)).toEqual(verdict(b, a));
    expect(verdict(a, a).accepted).toBe(true);
  }), { numRuns: 2000 });
});
