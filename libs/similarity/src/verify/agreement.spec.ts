import fc from 'fast-check';
import type { Lexicon } from './lexicon.ts';
import { readLexicon } from './read-lexicon.ts';
import { verdictOf } from './verdict.ts';

let lexicon: Lexicon;
beforeAll(async () => { lexicon = await readLexicon(new URL('../../../../models/lexicon/', import.meta.url)); });

const refused: Record<string, [a: string, b: string][]> = {
  'who does it': [
    ['Can I be recorded?', 'Can I record?'], ['Should I be paid for training?', 'Should I pay for training?'], ['When was Rome conquered?', 'When did Rome conquer?'], ['Who was elected in 1912?', 'Who elected in 1912?'],
    ['When do I pay?', 'When do I get paid?'], ['Who should I pay?', 'Who should pay me?'], ['Who is following me?', 'Who am I following?'], ['What is it worth?', 'What is worth it?'], ['How do I make him stay?', 'How does he make me stay?'],
  ],
  'when it is': [
    ['Is it raining in London?', 'Does it rain in London?'], ['Who is the mayor of London?', 'Who was the mayor of London?'], ['Will it rain in Oslo?', 'Did it rain in Oslo?'], ['Who teaches the course?', 'Who taught the course?'],
  ],
  'a thing or the doing': [
    ['Where is my booking?', 'Where is my book?'], ['Is there a training on Monday?', 'Is there a train on Monday?'], ['What is banking?', 'What is a bank?'], ['How do I remove a painting?', 'How do I remove paint?'], ['I stopped smoking', 'I stopped to smoke'],
  ],
  'one or several': [
    ['Where is my order?', 'Where are my orders?'], ['Who is the winner?', 'Who are the winners?'], ['How do I clean my glass?', 'How do I clean my glasses?'], ['What are goods?', 'What is good?'],
  ],
  'the one or any': [
    ['What is the deposit?', 'What is a deposit?'], ['What is the weather?', 'What is weather?'], ['Who is the king?', 'Who is a king?'], ['What is the interest rate?', 'What is an interest rate?'],
  ],
  'what a little word belongs to': [
    ['Can only members buy tickets?', 'Can members buy only tickets?'], ['Do all dogs eat meat?', 'Do dogs eat all meat?'], ['Can my boss read your email?', 'Can your boss read my email?'], ['Can my cat hurt the baby?', 'Can the cat hurt my baby?'],
    ['Who is my manager?', "Who is my manager's manager?"], ['Can I not pay rent and leave?', 'Can I pay rent and not leave?'], ['Is it too late to apply?', 'Is it late to apply?'],
  ],
  'words that are never mere politeness': [
    ['Can I pay in advance?', 'Can I pay?'], ['How do I say thanks?', 'How do I say please?'], ['Please in Spanish', 'Thank you in Spanish'], ['Thank you card ideas', 'Sorry card ideas'], ['Good morning messages', 'Good evening messages'],
    ['Did Apple try to buy Tesla?', 'Did Apple buy Tesla?'], ['Can I live on my own at 17?', 'Can I live at 17?'], ['How well does it work?', 'How does it work?'], ['What does a lion do?', 'What is a lion?'],
  ],
  'what one more word adds': [['Can I drive with my licence?', 'Can I drive with my expired licence?'], ['How do I delete a file?', 'How do I delete a file permanently?'], ['How do I list all containers?', 'How do I list all running containers?']],
  'what is asked of it': [
    ['What is the meaning of life?', 'What is life?'], ['What does the red light mean?', 'What is the red light?'], ['Is there a store near me?', 'Which store is near me?'], ['My order is late', 'Is my order late?'], ['I have to work on Sunday', 'I want to work on Sunday'],
    ['What is the meaning of life?', 'What is the meaning of "life"?'],
  ],
  place: [['What is on the box?', 'What is in the box?'], ['Is there a letter for the king?', 'Is there a letter of the king?']],
  calculation: [
    ['What is 12 * 5?', 'What is 12 - 5?'], ['What is 12 : 5?', 'What is 12 - 5?'], ['What is 5!?', 'What is 5?'], ['What is (2 + 3) x 4?', 'What is 2 + (3 x 4)?'], ['How heavy is a 5\' board?', 'How heavy is a 5" board?'],
  ],
  'the sense of a word': [
    ['What is Mercury?', 'What is mercury?'], ['Do you sell Polish?', 'Do you sell polish?'], ['How do I reset my passcode?', 'How do I reset my password?'],
  ],
  'one letter between two words': [['How does it affect people?', 'How does it effect people?'], ['What is the principal?', 'What is the principle?'], ['What is an allusion?', 'What is an illusion?'], ['How do I clean a grill?', 'How do I clean a drill?']],
};

describe.each(Object.entries(refused))('the same words are refused where they differ in %s', (what, table) => {
  const decisions = what === 'the sense of a word' || what === 'words that are never mere politeness' ? ['different', 'open'] : ['different'];
  test.each(table)('%s | %s', (a, b) => {
    expect(decisions).toContain(verdictOf(a, b, lexicon).decision);
    expect(verdictOf(b, a, lexicon)).toEqual(verdictOf(a, b, lexicon));
  });
});

test.each([
  ['How do I change the oil?', 'How do I update the oil?'], ['How do I pick a lock?', 'How do I select a lock?'], ['Can the police search my car?', 'Can the police find my car?'], ['How do I reach the airport?', 'How do I contact the airport?'],
  ['Which benefits do employees get?', 'Which advantages do employees get?'], ['What is work?', 'What is a job?'], ['How do I paint a green house?', 'How do I paint a greenhouse?'], ['How do I re-sign a contract?', 'How do I resign a contract?'],
  ['what is crypto', 'what is crypt'], ['Can I see a doctor?', 'Show me a doctor'], ['How do I found a company?', 'How do I find a company?'], ['How much is milk?', 'How much milk is there?'], ['Tell me if it rains', 'Does it rain?'],
])('a word is no synonym, and no other form, of one that means something else there: %s | %s', (a, b) => {
  expect(verdictOf(a, b, lexicon).decision).not.toBe('same');
});

test.each([
  ['What is a mortgage?', 'What are mortgages?'], ['How do I cancel the order?', 'How do I cancel an order?'], ['How do I go about changing my name?', 'How do I change my name?'], ['How do I update my address?', 'How do I change my address?'],
  ['What are the rules of chess?', 'What are chess rules?'], ['How does compound interest work?', 'Can you explain how compound interest works?'], ['What is the diffrence between a virus and a bacterium?', 'What is the difference between a virus and a bacterium?'],
  ['Can I still cancel?', 'Can I cancel still?'], ['Good morning, how do I freeze my card?', 'How do I freeze my card?'], ['Just wanted to ask: is the store open?', 'Is the store open?'], ['I was wondering if I need a visa', 'Do I need a visa?'],
  ['When was NASA founded?', 'when was nasa founded?'], ['How do I lower my water bill?', 'How Do I Lower My Water Bill?'], ['What does GDPR mean?', 'What is GDPR?'],
])('what only looks like another form is the same: %s | %s', (a, b) => {
  expect(verdictOf(a, b, lexicon).decision).toBe('same');
});

test('of two texts that differ in most words nothing is explained', () => {
  const animals = 'cat dog horse cow sheep goat pig hen duck goose mouse rat rabbit fox wolf bear lion';
  const things = 'table chair lamp door window floor wall roof stove sink bed shelf desk clock mirror carpet curtain';
  expect(verdictOf(`How do I paint a ${animals}?`, `How do I paint a ${things}?`, lexicon)).toEqual({ decision: 'different', explanation: 'differs in most words' });
});

const piece = fc.constantFrom(...`is was be been being get paid pay charged charge training train booking book my your the a an only all orders order who what it me him he them not on in for of do 5 12 * : - ! ( ) " ' Mercury mercury too well please thanks`.split(' '));
test('the verdict is symmetric whatever the forms, and a text is always its own', () => {
  const text = fc.array(piece, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(' '));
  fc.assert(fc.property(text, text, (a, b) => {
    expect(verdictOf(a, b, lexicon)).toEqual(verdictOf(b, a, lexicon));
    expect(verdictOf(a, a, lexicon).decision).toBe('same');
  }), { numRuns: 1000 });
});

test('more words than are compared one by one are compared as a whole', () => {
  const long = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 'cancel' : 'order')).join(' ');
  expect(verdictOf(long, `please ${long}`, lexicon)).toEqual({ decision: 'different', explanation: 'too long to compare word by word: only the same words are the same' });
});
