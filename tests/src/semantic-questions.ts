/** Questions that are as good as the same by their words and have different answers: what differs, the one that is kept, the one that is asked. */
export const TRAPS: [differs: string, kept: string, asked: string][] = [
  ['a number', 'How many teaspoons of salt go into 30 litres of water?', 'How many teaspoons of salt go into 60 litres of water?'],
  ['a number', 'What are the symptoms of type 1 diabetes?', 'What are the symptoms of type 2 diabetes?'],
  ['a number in words', 'How do I merge two branches?', 'How do I merge three branches?'],
  ['an ordinal number', 'Who was the first president of Chile?', 'Who was the second president of Chile?'],
  ['a dose', 'Should a patient take 50 mg of the drug?', 'Should a patient take 500 mg of the drug?'],
  ['a unit', 'How far is 5 miles on foot for a child?', 'How far is 5 kilometres on foot for a child?'],
  ['a unit', 'What should a dog weigh at 20 kg of food a month?', 'What should a dog weigh at 20 pounds of food a month?'],
  ['a year', 'What happened in Berlin in 1961?', 'What happened in Berlin in 1989?'],
  ['a weekday', 'Is the museum open on Monday mornings?', 'Is the museum open on Tuesday mornings?'],
  ['a season', 'When are tomatoes best planted in spring?', 'When are tomatoes best planted in autumn?'],
  ['am and pm', 'Does the shop open at 8 am on Sundays?', 'Does the shop open at 8 pm on Sundays?'],
  ['am and pm', 'How do I set an alarm for 7:30 am?', 'How do I set an alarm for 7:30 pm?'],
  ['a negation', 'Which foods are safe for cats to eat?', 'Which foods are not safe for cats to eat?'],
  ['a negation', 'How do I log in with a password?', 'How do I log in without a password?'],
  ['who does it to whom', 'Did Germany invade France in the war?', 'Did France invade Germany in the war?'],
  ['a direction', 'How do I convert euros to dollars?', 'How do I convert dollars to euros?'],
  ['a direction', 'How do I send a file from a phone to a laptop?', 'How do I send a file from a laptop to a phone?'],
  ['the extent', 'How do I delete all files in a folder?', 'How do I delete some files in a folder?'],
  ['the extent', 'What is the minimum age to rent a car?', 'What is the maximum age to rent a car?'],
  ['the subject', 'What is the population of the city of New York?', 'What is the population of the state of New York?'],
  ['what is asked', 'When was the Battle of Hastings fought?', 'Where was the Battle of Hastings fought?'],
  ['an opposite', 'How do I turn on dark mode?', 'How do I turn off dark mode?'],
  ['an opposite', 'How do I open a savings account?', 'How do I close a savings account?'],
  ['an opposite', 'What are the advantages of solar power?', 'What are the disadvantages of solar power?'],
  ['a sibling', 'What is the boiling point of ethanol?', 'What is the boiling point of methanol?'],
  ['a verb', 'Who painted the Mona Lisa?', 'Who stole the Mona Lisa?'],
  ['a name', 'What is the capital of Austria?', 'What is the capital of Australia?'],
  ['a name', 'How do I install Python on Windows?', 'How do I install Python on Linux?'],
];

/** Long enough, in English, and about nothing that changes: the semantic cache may answer it. */
export const PLAIN = 'What is the capital of France?';

const FUNCTION = { name: 'lookup', parameters: { type: 'object', properties: {} } };
const CALL = { id: 'call_1', type: 'function', function: { name: 'lookup', arguments: '{}' } };

interface Refused {
  reason: string;
  what: string;
  /** Content of the last user turn; `PLAIN` unless given. */
  content?: unknown;
  /** Turns before it. */
  earlier?: object[];
  more?: object;
}

/** What docs/caching.md says is left to the exact cache, by reason. */
export const REFUSED: Refused[] = [
  { reason: 'tools', what: 'tools that are offered', more: { tools: [{ type: 'function', function: FUNCTION }] } },
  { reason: 'tools', what: 'functions that are offered', more: { functions: [FUNCTION] } },
  { reason: 'tool_results', what: 'the result of a tool', earlier: [{ role: 'user', content: 'Look it up.' }, { role: 'assistant', content: null, tool_calls: [CALL] }, { role: 'tool', tool_call_id: 'call_1', content: '4' }] },
  { reason: 'several_choices', what: 'two choices', more: { n: 2 } },
  { reason: 'logprobs', what: 'probabilities', more: { logprobs: true, top_logprobs: 2 } },
  { reason: 'seed', what: 'a seed', more: { seed: 7 } },
  { reason: 'store', what: 'an answer that the provider is to keep', more: { store: true } },
  { reason: 'audio_output', what: 'a spoken answer', more: { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } } },
  { reason: 'flagged', what: 'a prompt that content safety flags', content: 'What is the plan of project nightingale about?' },
  { reason: 'no_user_text', what: 'a picture', content: [{ type: 'text', text: PLAIN }, { type: 'image_url', image_url: { url: 'https://example.com/map.png' } }] },
  { reason: 'no_user_text', what: 'a recording', content: [{ type: 'text', text: PLAIN }, { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] },
  { reason: 'too_short', what: 'two words', content: 'Hello there' },
  { reason: 'too_long', what: 'more than 64 words', content: 'Tell a story about a word '.repeat(12) },
  { reason: 'script', what: 'another script', content: 'Как сбросить пароль от почты' },
  { reason: 'language', what: 'another language', content: 'Wer hat die Relativitätstheorie aufgestellt?' },
  { reason: 'code', what: 'code', content: 'What does `ls -la` do in bash?' },
  { reason: 'anaphoric', what: 'a reference to what was said before', content: 'And what about the second one?' },
  { reason: 'time', what: 'what depends on when it is asked', content: 'What is the weather like in Paris today?' },
  { reason: 'place', what: 'what depends on where it is asked', content: 'Where is the nearest pharmacy?' },
  { reason: 'person', what: 'what depends on who asks', content: 'Where is my order right on the map?' },
];
