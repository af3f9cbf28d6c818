import type { ParsedBody } from './canonical.ts';
import fc from 'fast-check';
import { eligibility as eligibilityFor, type Eligibility, type Sharing } from './eligibility.ts';

const eligibility = (body: ParsedBody, sharing: Partial<Sharing> = {}): Eligibility => eligibilityFor(body, { byUser: false, flagged: false, ...sharing });

const parsed = (value: object): ParsedBody => ({ text: JSON.stringify(value), value: value as Record<string, unknown> });
const ask = (content: unknown, more: object = {}, earlier: object[] = []): ParsedBody => parsed({ model: 'm', messages: [...earlier, { role: 'user', content }], ...more });
const question = 'What is the capital of France?';

test.each([
  question,
  'How do I turn on dark mode?',
  'Explain photosynthesis to a ten-year-old',
  'What are the side effects of ibuprofen?',
  'Name three rivers in Germany.',
  'How can I reset a password?',
  'Can you tell me the boiling point of ethanol at sea level?',
  'Los Angeles has how many people?',
  'What does the naïve Bayes classifier assume?',
  'capital city France',
  'What is 30 % of 250?',
  'When was the Eiffel Tower built?',
  'What is AC/DC famous for?',
])('both caches may answer %j', (text) => {
  expect(eligibility(ask(text))).toEqual({ exact: true, semantic: true, reason: null });
});

test.each([
  ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }],
  ['tools', { functions: [{ name: 'f' }] }],
  ['several_choices', { n: 2 }],
  ['logprobs', { logprobs: true }],
  ['seed', { seed: 0 }],
  ['store', { store: true }],
  ['audio_output', { modalities: ['text', 'audio'] }],
])('%s leaves a request to the exact cache: %j', (reason, more) => {
  expect(eligibility(ask(question, more))).toEqual({ exact: true, semantic: false, reason });
});

test.each([{ tools: [] }, { n: 1 }, { logprobs: false }, { seed: null }, { store: false }, { modalities: ['text'] }, { temperature: 1 }])('%j refuses nothing', (more) => {
  expect(eligibility(ask(question, more)).semantic).toBe(true);
});

test('a live web search is not cached at all', () => {
  expect(eligibility(ask(question, { web_search_options: {} }))).toEqual({ exact: false, semantic: false, reason: 'live_search' });
});

test('tool results anywhere in the conversation leave it to the exact cache', () => {
  expect(eligibility(ask(question, {}, [{ role: 'tool', tool_call_id: 't', content: '4' }])).reason).toBe('tool_results');
  expect(eligibility(ask(question, {}, [{ role: 'assistant', tool_calls: [{}] }])).reason).toBe('tool_results');
});

test.each([
  ['no_user_text', [{ type: 'text', text: question }, { type: 'image_url', image_url: {} }]],
  ['no_user_text', [{ type: 'input_audio', input_audio: {} }]],
  ['too_short', ''],
  ['too_short', 'Hello there'],
  ['too_short', '?? !! ..'],
  ['too_long', 'word '.repeat(65)],
  ['too_long', 'x'.repeat(100_000)],
  ['script', 'Как сбросить пароль моего аккаунта'],
  ['script', '如何重置我的密码'],
  ['script', 'what does 如何重置我的密码 mean'],
  ['language', 'Wer hat die Relativitätstheorie aufgestellt?'],
  ['language', 'Wo ist meine Bestellung heute'],
  ['language', 'Où est ma commande ?'],
  ['language', '¿Cuál es la capital de Francia?'],
  ['language', 'dov’è il mio ordine'],
  ['code', 'What does `ls -la` do in bash?'],
  ['code', 'Is i <= n the same as i < n?'],
  ['code', 'Fix {"a": 1} so that it parses'],
  ['code', 'select name from users where id is 5'],
  ['code', 'What is in /etc/passwd on Linux?'],
  ['code', 'Summarise https://example.com for a student'],
  ['code', 'What does parseInt() return for text?'],
  ['code', 'Why is getUserName slow in production?'],
  ['code', 'What does max_tokens do in the API?'],
  ['code', 'Who made commit 0123456789abcdef in Linux?'],
  ['anaphoric', 'And the second one please?'],
  ['anaphoric', 'What about the other one?'],
  ['anaphoric', 'it does not work at all'],
  ['anaphoric', "That's not what was asked"],
  ['anaphoric', 'Go on with the story'],
  ['time', 'What is the weather like in Paris today?'],
  ['time', 'Who is the current president of France?'],
  ['time', 'What is the latest version of Node?'],
  ['time', 'What happened in London last week?'],
  ['time', 'What time is it in Tokyo?'],
  ['place', 'Which restaurants near me are open late?'],
  ['place', 'Where is the nearest pharmacy?'],
  ['person', 'Where is my order right on the map?'],
  ['person', 'What is our refund policy for shoes?'],
  ['person', 'Which medicine if I’m pregnant is safe?'],
])('%s: %j', (reason, content) => {
  expect(eligibility(ask(content))).toEqual({ exact: true, semantic: false, reason });
});

test('what content safety found something in is shared with nobody, and still answers the same question', () => {
  expect(eligibility(ask(question), { flagged: true })).toEqual({ exact: true, semantic: false, reason: 'flagged' });
  expect(eligibility(ask(question, { seed: 1 }), { flagged: true }).reason).toBe('seed');
});

test.each(['Where is my order right on the map?', 'What is my balance?', 'Am I too old for this?', 'You said it was free, is it?'])('%j is shared where answers stay with one user, and only there', (text) => {
  expect([eligibility(ask(text), { byUser: true }).semantic, eligibility(ask(text)).reason]).toEqual([true, 'person']);
});

test.each([
  ['time', 'Where is my order today?'],
  ['place', 'What is my nearest branch?'],
])('a user’s own scope makes no answer good for another %s: %j', (reason, text) => {
  expect(eligibility(ask(text), { byUser: true }).reason).toBe(reason);
});

test.each([
  'How do I reset my password?',
  'hi there, how can i reset my password please',
  'How should we organise our backlog?',
  'How to cancel my order',
  'What is the best way to change my plan?',
  'What’s the easiest way for cancelling my subscription?',
  'What are the steps to close my account?',
  'Steps to cancel my order',
  'What steps do I need to take to get my refund?',
  'Can you tell me how to update my billing address?',
  'Could you please show me how I can export our data? Thanks!',
  'Please explain how to connect my printer',
  'Is there a way to pause my membership?',
  'Where do I enter my discount code?',
  'Where can I download my invoice?',
  'How do I look up my account number?',
  'How do I cancel my order if I have paid by card?',
])('a question about a procedure is the same for whoever asks: %j', (text) => {
  expect(eligibility(ask(text))).toEqual({ exact: true, semantic: true, reason: null });
});

test.each([
  'Where is my order?',
  'What is my balance?',
  'cancel my order please',
  'Am I eligible for a refund?',
  'Can I cancel my order?',
  'Can you cancel my order?',
  'How much do I owe on my card?',
  'How long have I been on my plan?',
  'How many points do I have on my card?',
  'How do I compare with our other users?',
  'How do I look in my new suit?',
  'How can I owe that much on my card?',
  'How could I have been charged for my order twice?',
  'How do I know if my payment went through?',
  'How do I find out how much I owe on my card?',
  'How can I check if my order was sent?',
  'Can you tell me how to see when my order will arrive?',
  'How do I cancel my order? And what is my balance?',
  'How do I cancel my order; it is the blue one',
  'How do I cancel my order and where is my refund?',
  'How do I cancel my order and is my refund on its way?',
  'Where do I live according to my profile?',
  'What is the process of my application?',
  'What are the steps in my plan?',
  'How do I change my plan to the one you mentioned?',
  'I forgot my password, how do I reset it?',
])('a question about the state of a person is nobody else’s: %j', (text) => {
  expect(eligibility(ask(text))).toEqual({ exact: true, semantic: false, reason: 'person' });
});

test('a procedure that depends on time or place is no exception', () => {
  expect(eligibility(ask('How do I cancel my order from yesterday?')).reason).toBe('time');
  expect(eligibility(ask('How do I get to my nearest branch?')).reason).toBe('place');
});

test('a user’s own scope only ever adds to what is shared, and a flag only takes away', () => {
  const word = fc.constantFrom('how', 'do', 'I', 'my', 'order', 'today', 'near', 'me', 'what', 'is', 'the', 'best', 'way', 'to', 'reset', 'here', '?', '.', 'and', 'it', 'der', 'ist');
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), (words) => {
      const body = ask(words.join(' '));
      const plain = eligibility(body);
      expect(plain.semantic && !eligibility(body, { byUser: true }).semantic).toBe(false);
      expect(eligibility(body, { flagged: true, byUser: true }).semantic).toBe(false);
      expect(plain.semantic).toBe(plain.reason === null);
    }),
  );
});

test('no text makes a rule slow', () => {
  const nasty = ['/'.repeat(2000), 'a.'.repeat(1000), 'select '.repeat(280), '<'.repeat(2000), `${'a_'.repeat(999)}`, '('.repeat(2000), 'a('.repeat(1000), '-'.repeat(2000), 'update x '.repeat(200), 'é'.repeat(2000), 'hi, '.repeat(500), `how to ${'please '.repeat(280)}my`];
  for (const text of nasty) expect(eligibility(ask(text)).semantic).toBe(false);
});
