import fc from 'fast-check';
import type { ChatMessage } from '../../chat/chat-request.ts';
import { chatToTurns } from './chat-to-turns.ts';

const turns = (messages: ChatMessage[], mayPrefill = true): unknown => chatToTurns(messages, mayPrefill).turns;
const user = (content: ChatMessage['content']): ChatMessage => ({ role: 'user', content });
const text = (words: string): object => ({ type: 'text', text: words });
const CONTINUE = { role: 'user', content: [text('Continue.')] };
const calls = (...ids: string[]): ChatMessage => ({ role: 'assistant', content: null, tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'f', arguments: '{"x":1}' } })) });

test('system and developer messages become instructions, wherever they stand', () => {
  expect(chatToTurns([{ role: 'system', content: 'A' }, user('hi'), { role: 'developer', content: [{ type: 'text', text: 'B', cache_control: { type: 'ephemeral' } }] }], true)).toEqual({
    system: [text('A'), { ...text('B'), cache_control: { type: 'ephemeral' } }],
    turns: [{ role: 'user', content: [text('hi')] }],
  });
});

test('neighbours of the same role are one turn, and blank texts are left out', () => {
  expect(turns([user('a'), user(' \n'), user('b'), { role: 'assistant', content: '' }, { role: 'assistant', content: 'c' }, user('d')])).toEqual([
    { role: 'user', content: [text('a'), text('b')] },
    { role: 'assistant', content: [text('c')] },
    { role: 'user', content: [text('d')] },
  ]);
});

test('results of parallel calls are one user turn that begins with them', () => {
  const results: ChatMessage[] = [{ role: 'tool', tool_call_id: 'a', content: '1' }, { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: '2' }] }];
  expect(turns([user('go'), calls('a', 'b'), ...results, user('and?')])).toEqual([
    { role: 'user', content: [text('go')] },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } }, { type: 'tool_use', id: 'b', name: 'f', input: { x: 1 } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [text('1')] }, { type: 'tool_result', tool_use_id: 'b', content: [text('2')] }, text('and?')] },
  ]);
});

test('ids that Anthropic would refuse are changed in the call and in its result alike', () => {
  const told = turns([user('go'), calls('functions.f:0'), { role: 'tool', tool_call_id: 'functions.f:0', content: '' }]);
  expect(told).toMatchObject([{}, { content: [{ id: 'functions_f_0' }] }, { content: [{ tool_use_id: 'functions_f_0' }] }]);
});

test.each([
  ['', {}],
  ['{}', {}],
  ['{"x":', { arguments: '{"x":' }],
  ['[1]', { arguments: [1] }],
])('arguments %j reach the model as %j', (args, input) => {
  expect(turns([user('go'), { role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: args } }] }, { role: 'tool', tool_call_id: 'a', content: '1' }])).toMatchObject([{}, { content: [{ input }] }, {}]);
});

test('the older function_call and its result are paired by where they stand', () => {
  expect(turns([user('go'), { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } }, { role: 'function', name: 'f', content: '1' }])).toEqual([
    { role: 'user', content: [text('go')] },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'f', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: [text('1')] }] },
  ]);
});

test('thoughts that bear a signature come first in the turn they led to, others are not sent', () => {
  const thinking_blocks = [{ type: 'thinking', thinking: 'hm', signature: 's', index: 0 }, { type: 'thinking', thinking: 'unsigned' }, { type: 'redacted_thinking', data: 'd' }];
  const told = turns([user('go'), { ...calls('a'), thinking_blocks }, { role: 'tool', tool_call_id: 'a', content: '1' }]);
  expect(told).toMatchObject([{}, { content: [{ type: 'thinking', thinking: 'hm', signature: 's' }, { type: 'redacted_thinking', data: 'd' }, { type: 'tool_use' }] }, {}]);
});

test('images, PDFs and texts come from data URLs, bare base64 and the web', () => {
  const parts = [
    { type: 'image_url', image_url: { url: 'data:image/jpg;base64,AAAA', detail: 'low' } },
    { type: 'image_url', image_url: { url: 'https://example.com/a.png' }, cache_control: { type: 'ephemeral' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
    { type: 'file', file: { file_data: 'JVBE' } },
    { type: 'file', file: { filename: 'a.txt', file_data: 'data:text/plain,a%20b' } },
    { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
  ];
  expect(turns([user(parts)])).toEqual([
    {
      role: 'user',
      content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: 'AAAA' } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' }, cache_control: { type: 'ephemeral' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, title: 'a.pdf' },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' } },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a b' }, title: 'a.txt' },
        { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
      ],
    },
  ]);
});

test('cache_control on a whole message marks its last block', () => {
  const cache_control = { type: 'ephemeral' };
  expect(turns([{ ...user([{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }]), cache_control }])).toEqual([{ role: 'user', content: [text('a'), { ...text('b'), cache_control }] }]);
});

test('an answer the client has begun is continued without white space at its end, where the model can do that', () => {
  const begun: ChatMessage[] = [user('a'), { role: 'assistant', content: 'The answer is ' }];
  expect(turns(begun)).toEqual([{ role: 'user', content: [text('a')] }, { role: 'assistant', content: [text('The answer is')] }]);
  expect(turns(begun, false)).toEqual([{ role: 'user', content: [text('a')] }, { role: 'assistant', content: [text('The answer is ')] }, CONTINUE]);
});

test('a conversation without a user turn at either end gets one', () => {
  expect(turns([{ role: 'system', content: 'Write a poem.' }])).toEqual([CONTINUE]);
  expect(turns([{ role: 'assistant', content: 'Hello!' }, user('hi')])).toMatchObject([CONTINUE, { role: 'assistant' }, { role: 'user' }]);
  expect(turns([user('a'), { role: 'assistant', content: 'b' }, user('')])).toMatchObject([{}, { role: 'assistant' }, CONTINUE]);
});

const words = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('', ' ', '\n'));
const url = fc.constantFrom('https://example.com/a.png', 'data:image/png;base64,AAAA', 'data:,', 'data:%', '');
const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: words }),
  fc.record({ type: fc.constant('image_url'), image_url: fc.oneof(fc.record({ url }), fc.jsonValue()) }),
  fc.record({ type: fc.constant('file'), file: fc.oneof(fc.record({ file_data: words }), fc.jsonValue()) }),
  fc.record({ type: fc.constantFrom('input_audio', 'refusal', 'image', 'hologram'), refusal: fc.jsonValue() }),
);
const call = fc.record({ id: fc.jsonValue(), type: fc.constant('function'), function: fc.oneof(fc.jsonValue(), fc.record({ name: fc.jsonValue(), arguments: fc.jsonValue() })) }, { requiredKeys: [] });
const message: fc.Arbitrary<ChatMessage> = fc.record(
  {
    role: fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'function'),
    content: fc.oneof(words, fc.array(part, { minLength: 1, maxLength: 3 })),
    tool_calls: fc.oneof(fc.constant(null), fc.array(call, { maxLength: 2 })),
    tool_call_id: words,
    function_call: fc.jsonValue(),
    thinking_blocks: fc.jsonValue(),
    cache_control: fc.jsonValue(),
  },
  { requiredKeys: ['role', 'content'] },
) as fc.Arbitrary<ChatMessage>;

test('whatever the messages, turns alternate, begin with the user, are never empty, and hold no blank text', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), fc.boolean(), (messages, mayPrefill) => {
      const result = chatToTurns(messages, mayPrefill);
      result.turns.forEach((turn, i) => expect(turn.role).toBe(i % 2 === 0 ? 'user' : 'assistant'));
      expect(result.turns.length).toBeGreaterThan(0);
      expect(mayPrefill || result.turns.at(-1)?.role === 'user').toBe(true);
      const texts = [...result.system, ...result.turns.flatMap((turn) => turn.content)].filter((block) => block.type === 'text');
      for (const block of texts) expect(block['text']).toMatch(/\S/);
      for (const turn of result.turns) expect(turn.content.length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});
