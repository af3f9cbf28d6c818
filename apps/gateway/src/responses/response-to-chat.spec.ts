import { schemaProblems } from '@deja/testing';
import fc from 'fast-check';
import { droppedParams } from '../dialects/params.ts';
import { parseOrRefuse } from '../validate/refuse.ts';
import { chatBodyOf, refusedInResponse, responsesParams } from './response-to-chat.ts';
import { responsesRequest, type ResponsesBody } from './responses-request.ts';

const request = (fields: Record<string, unknown>): ResponsesBody => parseOrRefuse(responsesRequest, { model: 'm', input: 'Hi', ...fields });
const messages = (input: unknown): unknown => chatBodyOf(request({ input })).messages;

test('text is a message of the user, instructions one of the system before it', () => {
  expect(chatBodyOf(request({ instructions: 'Be brief.' }))).toEqual({
    model: 'm',
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }],
  });
});

test('parameters are translated by name', () => {
  const body = request({
    stream: true, temperature: 0.5, top_p: 0.9, max_output_tokens: 100, parallel_tool_calls: false, user: 'u', safety_identifier: 's', service_tier: 'flex', top_logprobs: 2,
    reasoning: { effort: 'low', summary: 'auto' },
    text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true }, verbosity: 'low' },
    tools: [{ type: 'function', name: 'weather', description: 'Tells it.', parameters: { type: 'object' }, strict: true }],
    tool_choice: { type: 'function', name: 'weather' },
  });
  const chat = chatBodyOf(body);
  expect(chat).toEqual({
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true, temperature: 0.5, top_p: 0.9, max_tokens: 100, parallel_tool_calls: false, user: 'u', safety_identifier: 's', service_tier: 'flex', logprobs: true, top_logprobs: 2,
    reasoning_effort: 'low', verbosity: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'object' }, strict: true } },
    tools: [{ type: 'function', function: { name: 'weather', description: 'Tells it.', parameters: { type: 'object' }, strict: true } }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
  });
  expect(schemaProblems('CreateChatCompletionRequest', chat)).toEqual([]);
  expect(refusedInResponse(body)).toBeNull();
  expect(droppedParams(responsesParams, body)).toEqual([]);
});

test('reasoning, words and calls of one turn are one message, and every output finds its call', () => {
  expect(messages([
    { role: 'developer', content: 'Be exact.' },
    { role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Two places.' }] },
    { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Let me ', annotations: [] }, { type: 'output_text', text: 'look.', annotations: [] }] },
    { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{"at":"Oslo"}' },
    { type: 'function_call', call_id: 'c2', name: 'weather', arguments: '{"at":"Rome"}' },
    { type: 'function_call_output', call_id: 'c1', output: 'snow' },
    { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'sun' }] },
    { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'x' },
    { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'I would rather not.' }] },
    { role: 'user', content: 'Why?' },
  ])).toEqual([
    { role: 'system', content: 'Be exact.' },
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant', content: 'Let me look.', reasoning_content: 'Two places.',
      tool_calls: [
        { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"at":"Oslo"}' } },
        { id: 'c2', type: 'function', function: { name: 'weather', arguments: '{"at":"Rome"}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'snow' },
    { role: 'tool', tool_call_id: 'c2', content: 'sun' },
    { role: 'assistant', content: 'I would rather not.' },
    { role: 'user', content: 'Why?' },
  ]);
});

test('images and files go along with their data or address', () => {
  expect(messages([{ role: 'user', content: [
    { type: 'input_text', text: 'What is it?' },
    { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' },
    { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' },
  ] }])).toEqual([{ role: 'user', content: [
    { type: 'text', text: 'What is it?' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' } },
  ] }]);
});

test('a custom tool is a function with one string, in the request as in its history', () => {
  const chat = chatBodyOf(request({
    tools: [{ type: 'custom', name: 'sql', description: 'Runs it.' }],
    input: [{ role: 'user', content: 'How many?' }, { type: 'custom_tool_call', call_id: 'c1', name: 'sql', input: 'SELECT 1' }, { type: 'custom_tool_call_output', call_id: 'c1', output: '1' }],
  }));
  expect(chat.tools).toEqual([{ type: 'function', function: { name: 'sql', description: 'Runs it.', parameters: expect.objectContaining({ required: ['input'] }) } }]);
  expect(chat.messages.slice(1)).toEqual([
    { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'sql', arguments: '{"input":"SELECT 1"}' } }] },
    { role: 'tool', tool_call_id: 'c1', content: '1' },
  ]);
});

test('allowed tools are the only ones offered', () => {
  const tools = ['a', 'b'].map((name) => ({ type: 'function', name, parameters: { type: 'object' } }));
  expect(chatBodyOf(request({ tools, tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'b' }] } }))).toMatchObject({
    tools: [{ function: { name: 'b' } }],
    tool_choice: 'required',
  });
});

test.each<[string, Record<string, unknown>]>([
  ['previous_response_id', { previous_response_id: 'resp_1' }],
  ['conversation', { conversation: { id: 'conv_1' } }],
  ['background', { background: true }],
  ['prompt', { prompt: { id: 'pmpt_1' } }],
  ['tools[1].type', { tools: [{ type: 'function', name: 'a' }, { type: 'web_search' }] }],
  ['tools[0].type', { tools: [{ type: 'file_search', vector_store_ids: [] }] }],
  ['tools[0].type', { tools: [{ type: 'code_interpreter', container: 'auto' }] }],
  ['tools[0].type', { tools: [{ type: 'mcp', server_label: 'a' }] }],
  ['tools[0].type', { tools: [{ type: 'image_generation' }] }],
  ['tools[0].format', { tools: [{ type: 'custom', name: 'a', format: { type: 'grammar', syntax: 'regex', definition: '.' } }] }],
  ['tool_choice', { tool_choice: { type: 'web_search' } }],
  ['text.format.type', { text: { format: { type: 'grammar' } } }],
  ['input[0].content[0].file_id', { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'file_1', detail: 'auto' }] }] }],
  ['input[0].content[0].file_url', { input: [{ role: 'user', content: [{ type: 'input_file', file_url: 'https://example.com/a.pdf' }] }] }],
  ['input[0].content[1].type', { input: [{ role: 'developer', content: [{ type: 'input_text', text: 'See:' }, { type: 'input_image', image_url: 'https://example.com/a.png' }] }] }],
  ['input[0].content[0].type', { input: [{ role: 'assistant', content: [{ type: 'dream' }] }] }],
  ['input[0].output[0].type', { input: [{ type: 'function_call_output', call_id: 'a', output: [{ type: 'input_image', image_url: 'https://example.com/a.png' }] }] }],
  ['input[1].type', { input: [{ role: 'user', content: 'Hi' }, { type: 'web_search_call', id: 'ws_1', status: 'completed' }] }],
  ['input[0].type', { input: [{ type: 'computer_call_output', call_id: 'c', output: { type: 'computer_screenshot', image_url: 'data:,' } }] }],
  ['input[0].type', { input: [{ type: 'shell_call_output', call_id: 'c', output: [{ stdout: '', stderr: '' }], content: { dream: 1 } }] }],
  ['input[0].id', { input: [{ type: 'item_reference', id: 'msg_1' }] }],
  ['input[0].id', { input: [{ id: 'msg_1' }] }],
  ['input', { input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' }] }],
])('what has no counterpart is refused by its place, and the translation still does not throw: %s', (param, fields) => {
  const body = request(fields);
  expect(refusedInResponse(body)).toEqual({ param, reason: expect.any(String) });
  expect(() => chatBodyOf(body)).not.toThrow();
});

test('what a provider lacks without harm is dropped and named, unless it asks for nothing', () => {
  const asked = { store: true, include: ['reasoning.encrypted_content'], truncation: 'auto', max_tool_calls: 3, prompt_cache_key: 'k', context_management: [] };
  expect(droppedParams(responsesParams, request(asked))).toEqual(Object.keys(asked).sort((a, b) => Object.keys(request(asked)).indexOf(a) - Object.keys(request(asked)).indexOf(b)));
  expect(droppedParams(responsesParams, request({ store: false, background: false, truncation: 'disabled', include: ['message.output_text.logprobs'], stream_options: { include_obfuscation: false } }))).toEqual([]);
});

const word = fc.string({ maxLength: 8 });
const anyPart = fc.oneof(fc.record({ type: fc.constantFrom('input_text', 'output_text'), text: word }), fc.record({ type: fc.constant('refusal'), refusal: word }), fc.record({ type: fc.constant('input_image'), image_url: fc.webUrl() }));
const anyItem = fc.oneof(
  fc.record({ role: fc.constantFrom('user', 'assistant', 'system', 'developer'), content: fc.oneof(word, fc.array(anyPart, { minLength: 1, maxLength: 3 })) }),
  fc.record({ type: fc.constant('function_call'), call_id: word, name: word, arguments: word }),
  fc.record({ type: fc.constant('function_call_output'), call_id: word, output: word }),
  fc.record({ type: fc.constant('custom_tool_call'), call_id: word, name: word, input: word }),
  fc.record({ type: fc.constant('reasoning'), summary: fc.array(fc.record({ type: fc.constant('summary_text'), text: word }), { maxLength: 2 }) }),
  fc.record({ type: fc.constantFrom('web_search_call', 'item_reference'), id: word }),
);

test('whatever is accepted becomes a valid chat request, or is refused', () => {
  fc.assert(
    fc.property(fc.array(anyItem, { minLength: 1, maxLength: 8 }), (input) => {
      const body = request({ input });
      if (refusedInResponse(body) !== null) return;
      expect(schemaProblems('CreateChatCompletionRequest', chatBodyOf(body))).toEqual([]);
    }),
  );
});
