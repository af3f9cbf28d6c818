import type { ParsedBody } from './canonical.ts';
import { eligibility } from './eligibility.ts';

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
  'Wer hat die Relativitätstheorie aufgestellt?',
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

test('no text makes a rule slow', () => {
  const nasty = ['/'.repeat(2000), 'a.'.repeat(1000), 'select '.repeat(280), '<'.repeat(2000), `${'a_'.repeat(999)}`, '('.repeat(2000), 'a('.repeat(1000), '-'.repeat(2000), 'update x '.repeat(200)];
  for (const text of nasty) expect(eligibility(ask(text)).semantic).toBe(false);
});
