import fc from 'fast-check';
import { analyse } from './analyse.ts';
import type { Lexicon } from './lexicon.ts';
import { readLexicon } from './read-lexicon.ts';
import { compare, verdictOf } from './verdict.ts';

let lexicon: Lexicon;
beforeAll(async () => { lexicon = await readLexicon(new URL('../../../../models/lexicon/', import.meta.url)); });

const refused: Record<string, [a: string, b: string, explanation: string][]> = {
  number: [
    ['Set a timer for 30 minutes', 'Set a timer for 60 minutes', 'differs in number: 30 / 60'],
    ['Is 15 a prime?', 'Is 1.5 a prime?', 'differs in number: 1.5 / 15'],
    ['What is -5 squared?', 'What is 5 squared?', 'differs in number: -5 / 5'],
    ['5 mg twice a day', '.5 mg twice a day', 'differs in number: 0.5 / 5'],
    ['Book a table for seven', 'Book a table for eleven', 'differs in number: 11 / 7'],
    ['Show the second row', 'Show two rows', 'differs in number: 2 / 2nd'],
    ['two hundred and fifty guests', 'two hundred guests', 'differs in number: 200 / 250'],
    ['Remind me at 7am', 'Remind me at 7 p.m.', 'differs in number: 7:00am / 7:00pm'],
    ['Price of the iPhone 14', 'Price of the iPhone 15', 'differs in number: 14 / 15'],
    ['Show my first invoice', 'Show my last invoice', 'differs in number: 1st / –'],
  ],
  'order of numbers': [
    ['a room from the 2nd to the 9th', 'a room from the 9th to the 2nd', 'different direction: from 2nd / to 2nd'],
    ['What is 5 minus 3?', 'What is 3 minus 5?', 'differs in order: 3 … 5 / 5 … 3'],
    ['What is 20 percent of 50 dollars?', 'What is 50 percent of 20 dollars?', 'differs in order: 20 … 50 / 50 … 20'],
  ],
  'unit and symbol': [
    ['How heavy is 5 kg?', 'How heavy is 5 lb?', 'differs in unit: kg / lb'],
    ['a gift for $50', 'a gift for £50', 'differs in unit: $ / £'],
    ['a fee of 20%', 'a fee of 20', 'differs in unit: % / –'],
    ['How do I learn C#?', 'How do I learn C++?', 'differs in name: c# / c++'],
    ['How do I learn C?', 'How do I learn C++?', 'differs in name: c / c++'],
    ['Send 🍎', 'Send 🍌', 'differs in symbol: 🍌 / 🍎'],
  ],
  calendar: [
    ['Are you open on Monday?', 'Are you open on Friday?', 'differs in weekday: friday / monday'],
    ['What is the weather tomorrow?', 'What is the weather today?', 'differs in time: today / tomorrow'],
    ['Book a room for May 3', 'Book a room for March 3', 'differs in time: march / may'],
  ],
  negation: [
    ['Which plans have fees?', "Which plans don't have fees?", 'differs in negation'],
    ['Can I drive with a permit?', 'Can I drive without a permit?', 'differs in negation'],
    ['How do I pay late fees?', 'How do I avoid paying late fees?', 'differs in negation'],
    ["Why can't I log in?", 'Why can I log in?', 'differs in negation'],
  ],
  opposites: [
    ['Enable dark mode', 'Disable dark mode', 'opposites: disable / enable'],
    ['Turn on the lights', 'Turn the lights off', 'opposites: off / on'],
    ['Is it legal to record calls?', 'Is it illegal to record calls?', 'opposites: illegal / legal'],
    ['Will it get warmer?', 'Will it get cooler?', 'opposites: cooler / warmer'],
    ['a refundable ticket', 'a nonrefundable ticket', 'opposites: nonrefundable / refundable'],
  ],
  direction: [
    ['Convert CSV to JSON', 'Convert JSON to CSV', 'different direction: csv / to csv'],
    ['transfer from savings to checking', 'transfer from checking to savings', 'different direction: from checking / to checking'],
    ['Is Python better than Java?', 'Is Java better than Python?', 'different direction: java / than java'],
    ['red instead of blue', 'blue instead of red', 'different direction: blue / instead of blue'],
    ['Does the landlord pay the tenant?', 'Does the tenant pay the landlord?', 'differs in order: landlord … tenant / tenant … landlord'],
    ['flights to Paris', 'flights from Paris', 'different direction: from / to'],
  ],
  person: [
    ['What is your refund policy?', 'What is my refund policy?', 'about someone else: my / your'],
    ['Can I call you?', 'Can you call me?', 'about someone else: i / you'],
    ['Should I do it?', 'Should he do it?', 'about someone else: he / –'],
    ['Where is my package?', "Where is my husband's package?", 'about someone else: husband / –'],
    ['Does a bear eat an owl?', 'Does an owl eat a bear?', 'differs in order: bear … owl / owl … bear'],
    ['What eats mice?', 'What do mice eat?', 'differs in order: eat … mice / mice … eat'],
  ],
  'name and kind': [
    ['hotels in Rome', 'hotels in Paris', 'differs in name: paris / rome'],
    ['hotels in rome', 'hotels in paris', 'differs in name: paris / rome'],
    ['Is Slovakia in the EU?', 'Is Slovenia in the EU?', 'differs in name: slovakia / slovenia'],
    ['Can horses eat oats?', 'Can horses eat barley?', 'kinds of the same: barley / oats'],
    ['side effects of aspirin', 'side effects of ibuprofen', 'about something else: aspirin / ibuprofen'],
  ],
  scope: [
    ['Recommend a gym', 'Recommend a gym for seniors', 'differs in scope: for seniors / –'],
    ['Is it free?', 'Is it free if I am a student?', 'differs in scope: if student / –'],
    ['Show all orders', 'Show some orders', 'differs in extent: all / some'],
    ['at least 18 years', 'at most 18 years', 'differs in extent: at least / at most'],
  ],
  'what is asked': [
    ['Who invented the telephone?', 'When was the telephone invented?', 'asks: when / who'],
    ['Should I park here?', 'Can I park here?', 'differs in what is asked: can / should'],
    ['Must I pay taxes?', 'Can I pay taxes?', 'differs in what is asked: can / must'],
    ['Why do I change a tire?', 'How do I change a tire?', 'asks: how / why'],
  ],
  'case and look': [
    ['How far is 5 mW?', 'How far is 5 MW?', 'differs in case: MW / mW'],
    ['Is it made by us', 'Is it made by US', 'differs in case: US / us'],
    ['PayPal login', 'Pаypal login', 'holds letters that look like others: only the same words are the same'],
    ['if i < n', 'if i <= n', 'holds code, a formula or an address: only the same words are the same'],
    ['What is 5²?', 'What is 52?', 'holds code, a formula or an address: only the same words are the same'],
    ['wie kann ich mein Konto kündigen', 'wie kann ich mein Konto löschen', 'not English: only the same words are the same'],
    ['¿Cómo cancelo mi pedido?', '¿Cómo cambio mi pedido?', 'not English: only the same words are the same'],
    ['как отменить заказ', 'как изменить заказ', 'not English: only the same words are the same'],
  ],
};

describe.each(Object.entries(refused))('what differs in %s is refused, with the reason', (_, table) => {
  test.each(table)('%s | %s', (a, b, explanation) => {
    expect(verdictOf(a, b, lexicon)).toEqual({ decision: 'different', explanation });
  });
});

test.each([
  ["What's the way to reset my password?", 'How do I reset my password?'],
  ['How do I reset my password?', 'hey, quick question: how can i reset my pasword??'],
  ["I'd like to know how to reset my password, please", 'How do I reset my password?'],
  ['What time do you open on Friday?', 'On Friday, what time do you open?'],
  ['If I cancel, will I get a refund?', 'Will I get a refund if I cancel?'],
  ['What is the capital of France?', 'Could you tell me the capital of France?'],
  ['Can I bring my dog?', 'Am I allowed to bring my dog?'],
  ['turn off the lights', 'please turn the lights off'],
  ["I'm unable to log in", "I can't login"],
  ['Set a timer for ten minutes', 'set a 10 minute timer'],
  ['What does shipping cost?', 'How much does shipping cost?'],
  ['flights from Paris to Rome', 'flights to Rome from Paris'],
  ['the difference between TCP and UDP', 'What is the difference between UDP and TCP?'],
  ['Is the colour grey?', 'Is the color gray?'],
  ['Why was my card declined?', "What's the reason my card was declined?"],
  ['banana bread recipe', 'recipe for banana bread'],
  ['a table for 4 people at 7pm', 'a table at 7 pm for four people'],
  ['Is the pool open?', 'Could you tell me if the pool is open?'],
])('only the form differs: %s | %s', (a, b) => {
  expect(verdictOf(a, b, lexicon)).toMatchObject({ decision: 'same', kind: 'surface' });
});

test.each([
  ['Where can I buy stamps?', 'Where can I purchase stamps?', 'same but for synonyms: buy / purchase'],
  ['How do I delete a row?', 'How do I remove a row?', 'same but for synonyms: delete / remove'],
])('a synonym is named: %s | %s', (a, b, explanation) => {
  expect(verdictOf(a, b, lexicon)).toEqual({ decision: 'same', kind: 'synonym', explanation });
});

test.each([
  ['Translate begin into French', 'Translate start into French'],
  ['What does begin mean?', 'What does start mean?'],
  ['How do you spell recieve?', 'How do you spell receive?'],
  ['What is the hourly rate?', 'What is the hours rate?'],
  ['tell me a joke', 'what is a joke'],
  ['Help me write a cover letter', 'How do I write a cover letter?'],
  ['What is a stock split?', 'What is a reverse stock split?'],
  ['When will my order ship?', 'When did my order ship?'],
  ['How do I mute a chat?', 'How do I leave a chat?'],
  ['Is he the boss?', 'He is the boss.'],
  ['World War I', 'World War'],
])('what is not explained is never served: %s | %s', (a, b) => {
  expect(verdictOf(a, b, lexicon).decision).not.toBe('same');
});

test('plain words that nothing explains are left to a neural verifier, and named', () => {
  expect(verdictOf('Who wrote Hamlet?', 'Who is the author of Hamlet?', lexicon)).toEqual({ decision: 'open', explanation: 'differs in words: author / wrote' });
});

const words = fc.constantFrom(...`how do i can you what is the a my your he from to in of for not without no never 5 two 7pm 2nd monday may today kg $ % c++ paris Rome order cancel delete remove open close colour color card cards
  children is are was will should must please thanks hi and or than better before all some first last one pasword chiken , ? ! - 's "x" if when why who me us US`.split(/\s+/));
const text = fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' '));

test('the verdict on (a, b) is the verdict on (b, a)', () => {
  fc.assert(fc.property(text, text, (a, b) => { expect(verdictOf(a, b, lexicon)).toEqual(verdictOf(b, a, lexicon)); }), { numRuns: 1000 });
});

test('a word dropped, added or moved anywhere gives a symmetric verdict too', () => {
  fc.assert(fc.property(fc.array(words, { minLength: 2, maxLength: 10 }), fc.nat(), fc.nat(), (parts, from, to) => {
    const moved = [...parts];
    const [word = ''] = moved.splice(from % parts.length, 1);
    moved.splice(to % parts.length, 0, word);
    const [a, b, c] = [parts.join(' '), moved.join(' '), parts.slice(1).join(' ')];
    expect(verdictOf(a, b, lexicon)).toEqual(verdictOf(b, a, lexicon));
    expect(verdictOf(a, c, lexicon)).toEqual(verdictOf(c, a, lexicon));
  }), { numRuns: 600 });
});

test('a text is the same text as itself, whatever it holds', () => {
  fc.assert(fc.property(fc.oneof(text, fc.string({ unit: 'binary', maxLength: 40 })), (a) => { expect(verdictOf(a, a, lexicon)).toMatchObject({ decision: 'same', kind: 'same_text' }); }), { numRuns: 700 });
});

const around = [fc.constantFrom('How do I book', 'Please send', 'What is', 'Can I get', 'remind me about'), fc.constantFrom('tables', 'percent of it', 'kg of rice', 'friends on Monday', 'in total', '')] as const;
test('another number is never the same', () => {
  fc.assert(fc.property(...around, fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: -2000, max: 2000 }), (before, after, x, y) => {
    fc.pre(x !== y);
    expect(verdictOf(`${before} ${x} ${after}`, `${before} ${y} ${after}`, lexicon).decision).toBe('different');
    expect(verdictOf(`${before} ${x / 10} ${after}`, `${before} ${y / 10} ${after}`, lexicon).decision).toBe('different');
  }), { numRuns: 700 });
});

const sentence = fc.constantFrom('I can pay with a card', 'the shop is open on Monday', 'my order will arrive today', 'you should tell him', 'why does the app work', 'how do I get a refund');
test('a negation put anywhere is never the same', () => {
  fc.assert(fc.property(sentence, fc.nat(), fc.constantFrom('not', 'never', 'no', "don't"), (plain, at, negation) => {
    const parts = plain.split(' ');
    parts.splice(1 + (at % parts.length), 0, negation);
    expect(verdictOf(plain, parts.join(' '), lexicon).decision).not.toBe('same');
  }), { numRuns: 300 });
});

test('an analysis that was kept gives the verdict of its text', () => {
  const kept = analyse('How do I cancel my order?', lexicon);
  expect(compare(kept, analyse('how can i cancel my order', lexicon), lexicon)).toEqual(verdictOf('How do I cancel my order?', 'how can i cancel my order', lexicon));
  expect(compare(kept, analyse('How do I confirm my order?', lexicon), lexicon).decision).not.toBe('same');
});

test('invisible characters, quotes and Unicode forms are no difference', () => {
  expect(verdictOf('What’s a caf\u00e9?', "what's a cafe\u0301", lexicon)).toMatchObject({ kind: 'same_text' });
  expect(verdictOf('cancel my or\u200bder', 'please cancel my order', lexicon)).toMatchObject({ decision: 'same' });
});

test('a very long text is compared as a whole only', () => {
  const long = 'How do I cancel my order? '.repeat(2000);
  expect(verdictOf(`${long} please`, long, lexicon)).toEqual({ decision: 'different', explanation: 'too long to compare word by word: only the same words are the same' });
  expect(verdictOf(long, long.toUpperCase(), lexicon)).toMatchObject({ kind: 'same_text' });
});
