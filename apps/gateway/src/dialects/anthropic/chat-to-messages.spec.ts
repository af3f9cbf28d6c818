import fc from 'fast-check';
import type { ChatBody } from '../../chat/chat-request.ts';
import { refusedParam } from '../params.ts';
import { anthropic } from './anthropic.ts';

const HI: ChatBody['messages'] = [{ role: 'user', content: 'hi' }];

interface Sent {
  sent: Record<string, unknown>;
  dropped: string[];
}

function translate(fields: Partial<ChatBody>, upstreamModel = 'claude-sonnet-4-5', maxOutputTokens: number | null = null): Sent {
  const call = anthropic.request({ model: 'm', messages: HI, ...fields }, { upstreamModel, stream: fields.stream === true, maxOutputTokens, createdS: 1 });
  return { sent: JSON.parse(call.body) as Record<string, unknown>, dropped: call.dropped };
}

const fn = (name: string, more: object = {}): { type: string } => ({ type: 'function', function: { name, ...more } }) as { type: string };
const EMPTY = { type: 'object', properties: {} };
const CLOSED = { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'], additionalProperties: false };
const jsonSchema = (schema: unknown): NonNullable<ChatBody['response_format']> => ({ type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } });

test('the call goes to the Messages API of 2023-06-01 with the key in x-api-key', () => {
  expect(anthropic.request({ model: 'm', messages: HI }, { upstreamModel: 'claude-x', stream: false, maxOutputTokens: null, createdS: 1 })).toEqual({
    path: '/v1/messages',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: '{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":false}',
    dropped: [],
  });
  expect(anthropic.credentialHeaders('k')).toEqual({ 'x-api-key': 'k' });
});

test('max_tokens, which Anthropic requires, is what the client allows, else the ceiling of the model, else 4096', () => {
  expect(translate({ max_tokens: 5, max_completion_tokens: 6 }, 'claude-x', 7).sent['max_tokens']).toBe(6);
  expect(translate({ max_tokens: 5 }, 'claude-x', 7).sent['max_tokens']).toBe(5);
  expect(translate({}, 'claude-x', 7).sent['max_tokens']).toBe(7);
});

test('sampling is told where the model lets itself be told, and listed where not', () => {
  const asked = { temperature: 0.2, top_p: 0.9 };
  expect(translate(asked, 'claude-3-haiku-20240307')).toMatchObject({ sent: asked, dropped: [] });
  const one = translate(asked, 'claude-sonnet-4-5');
  expect(one.sent).toHaveProperty('temperature', 0.2);
  expect(one.sent).not.toHaveProperty('top_p');
  expect(one.dropped).toEqual(['top_p']);
  expect(translate({ top_p: 0.9 }, 'claude-sonnet-4-5')).toMatchObject({ sent: { top_p: 0.9 }, dropped: [] });
  expect(translate({ ...asked, reasoning_effort: 'low' }, 'claude-sonnet-4-5').dropped).toEqual(['temperature', 'top_p']);
  const none = translate(asked, 'claude-opus-4-7');
  expect(none.sent).not.toHaveProperty('temperature');
  expect(none.dropped).toEqual(['temperature', 'top_p']);
});

test('defaults that a client spells out are not sent: newer models refuse even those', () => {
  expect(translate({ temperature: 1, top_p: 1, n: 1, presence_penalty: 0, tool_choice: 'auto', parallel_tool_calls: true }, 'claude-opus-5')).toEqual({
    sent: { model: 'claude-opus-5', max_tokens: 4096, messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }], stream: false },
    dropped: [],
  });
});

test('stop, user, service tier and cache_control in the words of Anthropic', () => {
  const cache_control = { type: 'ephemeral' };
  expect(translate({ stop: 'END', user: 'u-1', service_tier: 'default', cache_control }).sent).toMatchObject({
    stop_sequences: ['END'],
    metadata: { user_id: 'u-1' },
    service_tier: 'standard_only',
    cache_control,
  });
  expect(translate({ stop: ['a', ''], user: 'u', safety_identifier: 's' }).sent).toMatchObject({ stop_sequences: ['a'], metadata: { user_id: 's' } });
  expect(translate({ service_tier: 'flex' }).dropped).toEqual(['service_tier']);
});

test.each(['jo@example.com', '+1 (555) 010-9999', 'x'.repeat(300)])('the user id %s, which Anthropic would refuse, is sent as its hash', (user) => {
  expect(translate({ user }).sent['metadata']).toEqual({ user_id: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test('tools with and without parameters, cached ones and those of Anthropic itself', () => {
  const native = { type: 'web_search_20250305', name: 'web_search' };
  expect(translate({ tools: [fn('a', { description: 'A.', parameters: CLOSED }), { ...fn('b'), cache_control: { type: 'ephemeral' } } as never, native] }).sent['tools']).toEqual([
    { type: 'custom', name: 'a', description: 'A.', input_schema: CLOSED },
    { type: 'custom', name: 'b', input_schema: EMPTY, cache_control: { type: 'ephemeral' } },
    native,
  ]);
});

test('strict tools are strict where the model and the schema allow it', () => {
  const tools = [fn('a', { strict: true, parameters: CLOSED }), fn('b', { strict: true, parameters: { type: 'object' } })];
  expect(translate({ tools }).sent['tools']).toMatchObject([{ strict: true }, { input_schema: EMPTY }]);
  expect(JSON.stringify(translate({ tools }, 'claude-3-haiku-20240307').sent)).not.toContain('strict');
});

test.each([
  ['auto', undefined, { type: 'auto' }],
  ['none', false, { type: 'none' }],
  ['required', undefined, { type: 'any' }],
  [{ type: 'function', function: { name: 'a' } }, undefined, { type: 'tool', name: 'a' }],
  ['required', false, { type: 'any', disable_parallel_tool_use: true }],
  [undefined, false, { type: 'auto', disable_parallel_tool_use: true }],
  [undefined, true, undefined],
])('tool_choice %j with parallel_tool_calls %j is %j', (tool_choice, parallel_tool_calls, expected) => {
  const { sent } = translate({ tools: [fn('a')], ...(tool_choice !== undefined && { tool_choice }), ...(parallel_tool_calls !== undefined && { parallel_tool_calls }) });
  expect(sent['tool_choice']).toEqual(expected);
});

test('allowed tools are the only ones offered', () => {
  const tool_choice = { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] } };
  expect(translate({ tools: [fn('a'), fn('b')], tool_choice }).sent).toMatchObject({ tools: [{ name: 'b' }], tool_choice: { type: 'any' } });
});

test('functions are tools of which one is called at a time', () => {
  const { sent } = translate({ functions: [{ name: 'a', parameters: CLOSED }], function_call: { name: 'a' } });
  expect(sent).toMatchObject({ tools: [{ name: 'a', input_schema: CLOSED }], tool_choice: { type: 'tool', name: 'a', disable_parallel_tool_use: true } });
});

test('a JSON schema constrains the answer where the model can, beside effort', () => {
  const { sent } = translate({ response_format: jsonSchema(CLOSED), reasoning_effort: 'low' }, 'claude-opus-4-6');
  expect(sent['output_config']).toEqual({ effort: 'low', format: { type: 'json_schema', schema: CLOSED } });
  expect(sent).not.toHaveProperty('tools');
});

test('a JSON schema the model cannot be held to becomes a tool it must call, and thinking gives way', () => {
  const { sent, dropped } = translate({ response_format: jsonSchema(CLOSED), reasoning_effort: 'low' }, 'claude-sonnet-4-20250514');
  expect(sent).toMatchObject({ tools: [{ name: 'json', input_schema: CLOSED }], tool_choice: { type: 'tool', name: 'json' } });
  expect(sent).not.toHaveProperty('output_config');
  expect(dropped).toEqual(['reasoning_effort']);
  expect(translate({ response_format: jsonSchema({ type: 'object', additionalProperties: { type: 'string' } }) }).sent).toMatchObject({ tool_choice: { type: 'tool', name: 'json' } });
});

test('with tools of the client, either one of them is called or the JSON is given', () => {
  const { sent } = translate({ response_format: jsonSchema(CLOSED), tools: [fn('json')] }, 'claude-3-haiku-20240307');
  expect(sent).toMatchObject({ tools: [{ name: 'json' }, { name: 'json_' }], tool_choice: { type: 'any' } });
});

test('JSON without a schema, or with one that nothing can enforce, is an instruction', () => {
  const { sent } = translate({ response_format: { type: 'json_object' }, messages: [{ role: 'system', content: 'Be kind.' }, ...HI] });
  expect(sent['system']).toEqual([{ type: 'text', text: 'Be kind.' }, { type: 'text', text: expect.stringMatching(/one JSON object and nothing else/) }]);
  expect(JSON.stringify(translate({ response_format: jsonSchema({ type: 'object', additionalProperties: true }) }, 'claude-opus-5-5').sent['system'])).toContain('JSON Schema');
});

test('what Anthropic lacks is left out and listed', () => {
  expect(translate({ seed: 1, logit_bias: {}, store: true, metadata: { a: 'b' }, shiny: true }).dropped.sort()).toEqual(['metadata', 'seed', 'shiny', 'store']);
});

const schema = fc.letrec<{ schema: Record<string, unknown> }>((tie) => ({
  schema: fc.record(
    { type: fc.constantFrom('object', 'array', 'string'), properties: fc.dictionary(fc.string({ maxLength: 3 }), tie('schema'), { maxKeys: 2 }), items: tie('schema'), maximum: fc.integer() },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, unknown>>,
})).schema;
const message = fc.record({ role: fc.constantFrom('system', 'user', 'assistant', 'tool'), content: fc.string({ maxLength: 5 }), tool_call_id: fc.string({ maxLength: 3 }) });
const declared = fc.oneof(fc.jsonValue(), fc.record({ name: fc.string(), parameters: schema, strict: fc.boolean() }));
const tool = fc.oneof(fc.record({ type: fc.constant('function'), function: declared }), fc.record({ type: fc.string(), custom: fc.jsonValue() }));
const body = fc.record(
  {
    model: fc.constant('m'),
    messages: fc.array(message, { minLength: 1, maxLength: 6 }),
    temperature: fc.double({ min: 0, max: 2, noNaN: true }),
    top_p: fc.double({ min: 0, max: 1, noNaN: true }),
    stop: fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 4 })),
    max_tokens: fc.integer({ min: 1, max: 100_000 }),
    tools: fc.array(tool, { maxLength: 3 }),
    tool_choice: fc.oneof(fc.constantFrom('auto', 'none', 'required'), fc.dictionary(fc.constantFrom('type', 'function', 'allowed_tools', 'mode'), fc.jsonValue())),
    parallel_tool_calls: fc.boolean(),
    response_format: fc.oneof(fc.record({ type: fc.constantFrom('text', 'json_object', 'json_schema', 'grammar') }), schema.map(jsonSchema)),
    functions: fc.jsonValue(),
    function_call: fc.jsonValue(),
    reasoning_effort: fc.oneof(fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh'), fc.jsonValue()),
    thinking: fc.jsonValue(),
    service_tier: fc.jsonValue(),
    user: fc.string(),
  },
  { requiredKeys: ['model', 'messages'] },
) as fc.Arbitrary<ChatBody>;
const model = fc.constantFrom('claude-3-haiku-20240307', 'claude-sonnet-4-5', 'claude-opus-4-6', 'claude-opus-5-5', 'claude-tomorrow', 'kimi-k2');

test('whatever a valid request asks for, Anthropic gets alternating turns that begin with the user, and one tool choice at most with tools', () => {
  fc.assert(
    fc.property(body, model, (asked, upstreamModel) => {
      refusedParam(anthropic.params, asked);
      const { sent } = translate(asked, upstreamModel);
      const turns = sent['messages'] as { role: string; content: unknown[] }[];
      turns.forEach((turn, i) => expect(turn.role).toBe(i % 2 === 0 ? 'user' : 'assistant'));
      expect(sent['tool_choice'] !== undefined && sent['tools'] === undefined).toBe(false);
      expect(sent['max_tokens']).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});
