import fc from 'fast-check';
import type { Lexicon } from './lexicon.ts';
import { readLexicon } from './read-lexicon.ts';
import { verdictOf } from './verdict.ts';

let lexicon: Lexicon;
beforeAll(async () => { lexicon = await readLexicon(new URL('../../../../models/lexicon/', import.meta.url)); });

const refused: Record<string, [a: string, b: string][]> = {
  'a negative sign': [
    ['What is –40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'], ['What is —40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'],
    ['What is −40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'], ['What is - 40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'],
    ['What is – 40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'], ['What is -40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'],
    ['What is minus 40 Celsius in Fahrenheit?', 'What is 40 Celsius in Fahrenheit?'], ['Convert –5 F to C', 'Convert 5 F to C'], ['Is –3 an integer?', 'Is 3 an integer?'],
    ['The temperature is ‑12 degrees, is it cold?', 'The temperature is 12 degrees, is it cold?'], ['What is the square of (−4)?', 'What is the square of 4?'],
  ],
  'a preposition left behind': [
    ['What is wheat part of?', 'What is part of wheat?'], ['What is 7 less than?', 'What is less than 7?'], ['What is Peru south of?', 'What is south of Peru?'],
    ['What is a cell made of?', 'What is made of a cell?'], ['What is 7 more than?', 'What is more than 7?'], ['What is Peru near?', 'What is near Peru?'],
    ['What is steel made from?', 'What is made from steel?'], ['Who does Bob live with?', 'Who lives with Bob?'],
    ['What is the heart next to?', 'What is next to the heart?'], ['What is a whale bigger than?', 'What is bigger than a whale?'],
    ['What is Rome famous for?', 'What is famous for Rome?'], ['Who is John afraid of?', 'Who is afraid of John?'], ['What is 10 divisible by?', 'What is divisible by 10?'],
  ],
  'what a particle reaches': [
    ['Can only adults buy fireworks?', 'Can adults only buy fireworks?'], ['Why should I always do and never forget this?', 'Why should I never do and always forget this?'],
    ['always do and never forget', 'never do and always forget'], ['What should I always do and never forget?', 'What should I never do and always forget?'],
    ['Why do some people not like cheese?', 'Why do people not like some cheese?'], ['Who were both drivers of a car?', 'Who were drivers of both a car?'],
    ['both drivers of a car', 'drivers of both a car'], ['How not to be wrong?', 'How to be not wrong?'], ['Is it legal only in Texas?', 'Is it only legal in Texas?'],
    ['legal only in Texas', 'only legal in Texas'], ['Can even children swim there?', 'Can children even swim there?'],
    ['Can also dogs eat cheese?', 'Can dogs also eat cheese?'], ['Do just dogs bark?', 'Do dogs just bark?'], ['Do all dogs bite?', 'Do dogs bite all?'],
    ['Are you really not hungry?', 'Are you not really hungry?'], ['Do even cats like water?', 'Do cats like even water?'],
    ['Can dogs also eat rice?', 'Can dogs eat also rice?'], ['Is all water not safe?', 'Is not all water safe?'],
    ['Do both parents sign the form?', 'Do parents sign both the forms?'], ['Why is he always not happy?', 'Why is he not always happy?'],
    ['Does he just not care?', 'Does he not just care?'],
  ],
  'modals and tenses exchanged': [
    ['What may nurses do that doctors must do?', 'What must nurses do that doctors may do?'],
    ['Which pets were and which pets are legal?', 'Which pets are and which pets were legal?'], ['What should I eat if I can run?', 'What can I eat if I should run?'],
    ['What did he say he does?', 'What does he say he did?'], ['Should cats eat what dogs can eat?', 'Can cats eat what dogs should eat?'],
    ['Who is the man who was king?', 'Who was the man who is king?'],
  ],
  'one or several, this or any': [
    ['Name a country in Africa', 'Name the countries in Africa'], ['Tell me a joke about cats', 'Tell me jokes about cats'],
    ['List the king of England', 'List the kings of England'], ['What is the cause of the war?', 'What are the causes of war?'],
    ['Is there little hope?', 'Is there a little hope?'], ['Is there few options?', 'Is there a few options?'], ['Who is the Rock?', 'Who is rock?'],
    ['Who is the Rock?', 'Who is Rock?'], ['Give me a reason to stay', 'Give me reasons to stay'], ['Write a poem about love', 'Write poems about love'],
    ['Suggest a name for a dog', 'Suggest names for a dog'], ['Give me an example of a metaphor', 'Give me examples of a metaphor'],
    ['Recommend a book about Rome', 'Recommend books about Rome'], ['Write a haiku about rain', 'Write haikus about rain'],
    ['Is there a little milk?', 'Is there little milk?'], ['Who is the Queen?', 'Who is Queen?'],
  ],
  'words spoken of as words': [
    ['Define the word what', 'What is the definition of the word?'], ['What does the word please mean?', 'Please, what does the word mean?'],
    ['Say hello in French, please', 'Say please in French, hello'], ['Translate please help me into Thai', 'Please translate help me into Thai'],
    ["How many words are in don't?", 'How many words are in do not?'], ['what is the plural of cat', 'what is the plural of cats'],
    ['Should I write color or colour?', 'Should I write color or color?'], ['Should I say who or whom?', 'Should I say who or who?'],
    ['How many letters are in the word color?', 'How many letters are in the word colour?'], ["How many syllables are in can't?", 'How many syllables are in cannot?'],
    ['How do you spell please?', 'Please, how do you spell?'], ['Is grey or gray correct?', 'Is gray or gray correct?'],
    ['What is the plural of ox?', 'What is the plural of oxen?'], ['Is it organise or organize?', 'Is it organize or organize?'],
    ["How many letters are in isn't?", 'How many letters are in is not?'],
  ],
  'signs, commas, capitals and data': [
    ['What does "!" mean in a sentence?', 'What does "?" mean in a sentence?'], ['What does ! mean in a sentence?', 'What does ? mean in a sentence?'],
    ['Say no, more people left', 'Say no more, people left'], ['Capitalize this: new york city', 'Capitalize this: New York City'],
    ['Count the lines: a\nb\nc', 'Count the lines: a b c'], ['How do you polish silver?', 'How do you Polish silver?'], ['What is Turkey like?', 'What is turkey like?'],
    ['What is 007 known for?', 'What is 7 known for?'], ['Fix the punctuation: lets eat grandma.', 'Fix the punctuation: lets eat grandma!'],
    ['What is China made of?', 'What is china made of?'], ['Is it March?', 'Is it march?'], ['What does Java taste like?', 'What does java taste like?'],
    ['What is the use of ";" in code?', 'What is the use of ":" in code?'], ['I said stop, now go home', 'I said stop now, go home'],
    ['Make this uppercase: hello', 'Make this uppercase: Hello'], ['Count the spaces in this: a  b', 'Count the spaces in this: a b'],
    ['Translate into French: Polish', 'Translate into French: polish'], ['Please fix this text: he go home', 'fix this text: He go home'],
    ['How far is 0800 from here?', 'How far is 800 from here?'], ['What is Java good for?', 'What is java good for?'], ['How do I say: "No!"', 'How do I say: "No?"'],
  ],
};

describe.each(Object.entries(refused))('texts of the same words are refused for %s', (_, table) => {
  test.each(table)('%j | %j', (a, b) => {
    expect(verdictOf(a, b, lexicon).decision).toBe('different');
    expect(verdictOf(b, a, lexicon)).toEqual(verdictOf(a, b, lexicon));
  });
});

test.each([
  ['How many planets are in the solar system?', 'What is the number of planets in the solar system?'],
  ['please list the benefits of yoga', 'What are the benefits of yoga?'], ['list the benefits of yoga', 'What are the benefits of yoga?'],
  ['When did World War II end?', 'When did World War 2 end?'], ['How many bones are in the human body?', 'What is the number of bones in the human body?'],
  ['Can you list the symptoms of flu?', 'What are the symptoms of flu?'], ['Who won World War I?', 'Who won World War 1?'],
  ['What caused WWII?', 'What caused World War 2?'], ['What is the range 10–20?', 'What is the range 10-20?'], ['Is it open 10–20?', 'Is it open 10 to 20?'],
  ['What is -40 Celsius in Fahrenheit?', 'What is –40 Celsius in Fahrenheit?'], ['What is −40 Celsius in Fahrenheit?', 'What is minus 40 Celsius in Fahrenheit?'],
  ['Hi, how do I reset my password?', 'How do I reset my password'], ['what is the capital of france', 'What is the capital of France?'],
  ['WHAT IS THE CAPITAL OF FRANCE?', 'what is the capital of france'], ['Hello, what is 2 + 2?', 'hello what is 2 + 2'], ['What is a mortgage?', 'What are mortgages?'],
  ['What is the capital of Turkey?', 'what is the capital of turkey'], ['How do I get a visa for Poland, please?', 'how do I get a visa for poland please'],
  ["What's the capital of Peru", 'what is the capital of peru?'], ['Is it really raining?', 'Is it raining?'], ['Can I also pay by card?', 'Can I pay by card?'],
  ['Question: what is DNA?', 'What is DNA?'], ['Can I still apply?', 'Can I apply still?'], ['What are you waiting for?', 'what are you waiting for'],
  ['Which tools do I need, and how do I start?', 'Which tools do I need and how do I start?'], ['How many people live in Rome?', 'how many people live in rome'],
  ['How do you spell definitely, please?', 'Please, how do you spell definitely?'], ['What is 5 - 3?', 'What is 5 – 3?'], ['May 05 weather', 'May 5 weather'],
  ["What's the plural of ox?", 'What is the plural of ox?'], ["Isn't it too late to apply?", 'Is it not too late to apply?'],
  ['Write a poem about love', 'Please write a poem about love'], ['Name a country in Africa', 'name a country in Africa, please'],
  ['How do I say hello in French?', 'how can I say hello in french?'], ['Quick question: is the store open?', 'Is the store open?'],
  ['Summarize: cats are great', 'summarize: cats are great'], ['Help! My card was stolen, what should I do?', 'Help, my card was stolen. What should I do?'],
  ['At which station do I get off?', 'At what station do I get off?'], ['How can I turn on dark mode?', 'how can I turn on dark mode'],
  ['What is Fantasy Zone II: The Tears of Opa-Opa', 'WHAT IS FANTASY ZONE II: THE TEARS OF OPA-OPA'],
])('what moved or is written otherwise without another meaning is the same: %j | %j', (a, b) => {
  expect(verdictOf(a, b, lexicon).decision).toBe('same');
});

test('what is to be worked on is compared letter by letter, however long it is', () => {
  const long = 'one line of it '.repeat(1000);
  expect(verdictOf(`Count the lines: ${long}\nend`, `Count the lines: ${long} end`, lexicon).decision).toBe('different');
  expect(verdictOf(`Count the lines: ${long}`, `COUNT the lines: ${long}`, lexicon).decision).toBe('same');
});

test('whatever signs a text holds, it is its own, and which text comes first makes no difference', () => {
  const piece = fc.constantFrom(...`"!" "?" , : ; – — - 5 007 not all even may must was is a little few say the word please or don't Polish polish cats like of than what`.split(' '));
  const text = fc.array(piece, { minLength: 1, maxLength: 10 }).map((parts) => parts.join(' '));
  fc.assert(fc.property(text, text, (a, b) => {
    expect(verdictOf(a, b, lexicon)).toEqual(verdictOf(b, a, lexicon));
    expect(verdictOf(a, a, lexicon).decision).toBe('same');
  }), { numRuns: 500 });
});
