import fc from 'fast-check';
import { eligibility, type Sharing } from './eligibility.ts';
import { anyOf, phrases } from './phrases.ts';
import { WORDINGS } from './wording.ts';

const reasonOf = (content: string, sharing: Partial<Sharing> = {}): string | null => {
  const value = { model: 'm', messages: [{ role: 'user', content }] };
  return eligibility({ text: JSON.stringify(value), value }, { byUser: false, flagged: false, ...sharing }).reason;
};

test.each([
  ['person', 'How do I find out how much I owe?'],
  ['person', 'how can I find out how much I owe'],
  ['person', 'how much do I owe'],
  ['person', 'can I get a refund'],
  ['person', 'May I return the shoes?'],
  ['person', 'What should I eat?'],
  ['person', 'do you remember the name'],
  ['person', 'what did we discuss before'],
  ['person', 'what did I say'],
  ['person', "What's on the calendar?"],
  ['person', 'What is in the cart?'],
  ['person', 'Where is the order?'],
  ['time', 'When does the parcel arrive?'],
  ['person', 'What is the status of the ticket?'],
  ['person', 'how many points I have'],
  ['person', 'the shoes I ordered are late'],
  ['person', 'What are your opening hours?'],
  ['person', 'Is the account locked?'],
  ['person', 'Do I need a visa for Spain?'],
  ['time', 'how many days until Christmas'],
  ['time', 'How many days left until Easter?'],
  ['time', 'what is the price of bitcoin'],
  ['time', 'exchange rate of dollar to euro'],
  ['time', 'bitcoin price please now'],
  ['time', 'What is the Apple stock price?'],
  ['time', 'price of Tesla stock'],
  ['time', 'When is the next solar eclipse?'],
  ['time', 'How old is Joe Biden?'],
  ['time', 'how old is joe biden'],
  ['time', 'When does the offer end?'],
  ['time', 'What is the score of the game?'],
  ['time', 'who is the president of France'],
  ['time', "who's the prime minister of India"],
  ['time', 'Who is the CEO of Apple?'],
  ['time', 'Who is the French president?'],
  ['time', 'president of the united states'],
  ['time', 'is the museum open'],
  ['time', 'Is Walmart open?'],
  ['time', '100 dollars in euros'],
  ['time', 'Who won the world cup?'],
  ['anaphoric', 'Do the same for France'],
  ['anaphoric', 'Why is that so?'],
  ['anaphoric', 'Tell me more about this'],
  ['anaphoric', 'Tell me a different joke'],
  ['anaphoric', 'Write another poem about cats'],
  ['anaphoric', 'explain it again'],
  ['anaphoric', 'explain it to me again'],
  ['anaphoric', 'do it like before'],
  ['anaphoric', 'What does that mean?'],
  ['anaphoric', 'How does it work?'],
  ['anaphoric', 'Is it safe?'],
  ['anaphoric', 'How long does it take?'],
  ['anaphoric', 'Can you explain that in simpler words?'],
  ['anaphoric', 'What is her name?'],
  ['anaphoric', 'Why did they do it?'],
  ['random', 'Generate a strong password'],
  ['random', 'create a secure passphrase for me'],
  ['random', 'give me a random number'],
  ['random', 'pick a number between 1 and 10'],
  ['random', 'Give me a uuid please'],
  ['random', 'flip a coin please'],
  ['random', 'roll two six-sided dice'],
  ['random', 'pick a card any card'],
  ['random', 'please surprise me'],
  ['random', 'tell me a joke'],
  ['random', 'Tell me a funny joke about cats'],
  ['random', 'Write a haiku about autumn'],
  ['random', 'haiku about autumn leaves'],
  ['random', 'write a short story about a dragon'],
  ['random', 'I need a strong password'],
  ['random', 'Suggest a username for a gamer'],
  ['random', 'Shuffle the letters A B C'],
  ['random', 'Generate an API key'],
  ['language', 'capital de Francia'],
  ['language', 'qual a capital da franca'],
  ['language', 'hur mar du idag'],
  ['language', 'Capital de Francia'],
  ['language', 'Como cancelar pedido urgente'],
  ['language', 'cancelar mi pedido ahora'],
  ['language', 'vad heter huvudstaden i sverige'],
  ['language', 'jak zresetowac haslo'],
  ['language', 'sifremi nasil sifirlarim'],
  ['language', 'bagaimana cara reset password'],
  ['language', 'Thu do cua Phap la gi'],
  ['language', 'was ist die hauptstadt von frankreich'],
  ['language', 'quelle est la capitale de la france'],
  ['language', 'wat is de hoofdstad van frankrijk'],
  ['language', 'quanto custa um carro'],
  ['language', 'come si fa la carbonara'],
  ['language', 'WER IST DER KANZLER'],
  ['language', 'co to jest fotosynteza'],
  ['language', 'que es la fotosintesis'],
  ['language', 'lam sao de doi mat khau'],
  ['language', 'reset password akun saya'],
  ['language', 'stolica Francji to jest'],
])('%s: %j is shared with nobody by its meaning', (reason, text) => {
  expect(reasonOf(text)).toBe(reason);
});

test.each([
  'How do I reset my password?',
  'What is the best way to change my plan?',
  'How many planets are there?',
  "What is the capital of Côte d'Ivoire?",
  'Who was Leonardo da Vinci?',
  'What does carpe diem mean?',
  'What does de facto mean?',
  'When did Charles de Gaulle die?',
  'Rio de Janeiro population',
  'Who wrote les miserables?',
  'What is a random variable?',
  'How do I generate a random number in Python?',
  'How to write a poem about cats',
  'What caused World War I?',
  'Who won World War I?',
  'When did World War I end?',
  'Who wrote the poem The Raven?',
  'Tell me the story of Cinderella',
  'What is the order of the planets?',
  'What is the refund policy?',
  'What payment methods are accepted?',
  'What is an exchange rate?',
  'How do I convert euros to dollars?',
  'Is it safe to eat snow?',
  'Why is it cold in winter?',
  'How long does it take to boil an egg?',
  'What is another name for salt?',
  'What is the difference between a virus and a bacterium?',
  'Who was the first president of Chile?',
  'Who won the World Cup in 1998?',
  'How old is the universe?',
  'Who invented the telephone?',
  'What is gravity and who discovered it?',
  'What is the delivery time for Germany?',
  'Do you know the capital of France?',
  'What happens if I miss a payment?',
  'Is the museum open on Monday mornings?',
  'Does the shop open at 8 am on Sundays?',
  'What is the next number in the sequence 2, 4, 8?',
  'How do I delete the account?',
  'How can I track the order?',
  'Give the name of the capital of France',
  'Why do we dream?',
  'Name a mammal that lays eggs',
  'When was Easter first celebrated?',
  'How does shipping work?',
  'What is two factor authentication?',
  'Where can I find the invoice?',
  'Can you tell me how to update my billing address?',
  'What is a king in chess worth?',
  'How does public key cryptography work?',
  'What is a good source of iron?',
  'Which countries accept returns?',
  'What does the warranty cover?',
  'How do I turn off notifications for the app?',
  'Tell me about the Roman Empire',
  'Explain how photosynthesis works',
  'Give me a summary of Hamlet',
  'What did Einstein say about God?',
  'How do I add a new user to the team?',
  'Is there a limit on file size?',
  'Does the plan include phone support?',
  'What are the benefits of meditation?',
  'List the planets in order of size',
  'What is the meaning of deja vu?',
  'What is the capital of San Marino?',
  'Who sang La Bamba?',
  'Explain to me how do I export a report',
  'When is it best to plant tomatoes?',
  'I would like to know what the melting point of iron is',
])('%j has one answer for all', (text) => {
  expect(reasonOf(text)).toBeNull();
});

test('what is wanted anew each time is shared by its meaning with nobody, not even with the same user', () => {
  expect(reasonOf('Generate a strong password', { byUser: true })).toBe('random');
});

test('phrases of several words are met with their spaces, and only whole', () => {
  expect(WORDINGS.some(({ pattern }) => pattern.test('flipacoin'))).toBe(false);
  expect(reasonOf('flip the coin')).toBe('random');
});

test('no repetition makes a wording slow', () => {
  const repeated = ['generate a ', 'tell me ', 'is it ', 'who is the ', 'when does ', 'a ', 'a   ', 'what is in the ', 'explain ', 'name of the ', "a'", 'who won ', 'roll a ', 'ä', 'shopping '];
  for (const part of repeated) expect(['too_long', 'too_short', 'language']).toContain(reasonOf(part.repeat(Math.floor(2000 / part.length))));
  for (const part of repeated) for (const { pattern } of WORDINGS) expect(typeof pattern.test(part.repeat(Math.floor(2000 / part.length)))).toBe('boolean');
});

const PIECES = ['select x from y', 'www.', 'f(x)', 'a_b', '::', '->', '=>', '&&', '||', '+=', '-=', '<<', '<b>', '`', '{', '};', '[1', '"', '://', 'a@b.c', '~/x', './x', 'c:\\', 'a/b/c', '--flag', '-v', '$x', 'deadbeefdead', ';', '=', '|', ' ', '\n', 'A', 'ſ', 'ü', '7', '.', '-', '_'];
const pieced = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4 }), fc.string({ unit: 'grapheme', maxLength: 3 })), { maxLength: 12 }).map((pieces) => pieces.join(''));

test('what a wording with a sign matches has the sign in it', () => {
  fc.assert(
    fc.property(pieced, (text) => {
      expect(WORDINGS.filter(({ pattern, sign }) => sign !== undefined && pattern.test(text) && !sign.test(text))).toEqual([]);
    }),
    { numRuns: 3000 },
  );
});

test('several lists of phrases in one pattern say the same as a pattern of each', () => {
  const lists = ['roll a (?:die|dice)|at random|\n  heads', "(?:today|today's) news|now", 'a (?:\\p{L}+ )?name\\W*$'];
  const together = anyOf(phrases(...lists));
  const apart = anyOf(...lists.map((list) => phrases(list)));
  const word = fc.constantFrom('roll', 'a', 'die', 'dice', 'at', 'random', 'heads', 'today', "today's", 'news', 'now', 'name', 'good', '!', '_', "'", 'ä');
  fc.assert(fc.property(fc.array(fc.tuple(word, fc.constantFrom(' ', '', '-')), { maxLength: 8 }), (parts) => {
    const text = parts.flat().join('');
    expect(together.test(text)).toBe(apart.test(text));
  }));
});
