import fc from 'fast-check';
import { AttemptFailure } from '../../attempt/failure.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import { anthropic } from './anthropic.ts';

const BODY: ChatBody = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const context = { upstreamModel: 'claude-sonnet-4-5', stream: false, maxOutputTokens: null, createdS: 1 };

const choiceOf = (reply: object, body = BODY): { message: Record<string, unknown>; finish_reason: string | null } => anthropic.reply({ type: 'message', ...reply }, body, context).choices[0]!;
const use = (id: string, input: unknown, name = 'f'): object => ({ type: 'tool_use', id, name, input });

test('parallel calls come back with ids and JSON arguments, and without text there is no content', () => {
  expect(choiceOf({ content: [use('a', { x: 1 }), use('b', {}, 'g')], stop_reason: 'tool_use' })).toMatchObject({
    message: {
      content: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
      ],
    },
    finish_reason: 'tool_calls',
  });
});

test('a client that asked with functions is answered with function_call', () => {
  const choice = choiceOf({ content: [use('a', { x: 1 })], stop_reason: 'tool_use' }, { ...BODY, functions: [{ name: 'f' }] });
  expect(choice).toMatchObject({ message: { function_call: { name: 'f', arguments: '{"x":1}' } }, finish_reason: 'function_call' });
});

test('a call of the client stays a call beside the JSON tool', () => {
  const body = { ...BODY, tools: [{ type: 'function', function: { name: 'json' } }], response_format: { type: 'json_schema', json_schema: { schema: { type: 'object' } } } };
  const calling = (name: string): object => choiceOf({ content: [use('a', { x: 1 }, name)], stop_reason: 'tool_use' }, body);
  expect(calling('json')).toMatchObject({ message: { content: null, tool_calls: [{ function: { name: 'json' } }] }, finish_reason: 'tool_calls' });
  expect(calling('json_')).toMatchObject({ message: { content: '{"x":1}' }, finish_reason: 'stop' });
});

test('a refusal keeps what had been said, and says why where Anthropic does', () => {
  const begun = choiceOf({ content: [{ type: 'text', text: 'First,' }], stop_reason: 'refusal' });
  expect(begun).toMatchObject({ message: { content: 'First,', refusal: null }, finish_reason: 'content_filter' });
  const explained = choiceOf({ content: [], stop_reason: 'refusal', stop_details: { explanation: 'Blocked.' } });
  expect(explained).toMatchObject({ message: { content: null, refusal: 'Blocked.' }, finish_reason: 'content_filter' });
});

test('blocks nobody knows yet are left out, and several texts are one', () => {
  const content = [{ type: 'text', text: 'a' }, { type: 'server_tool_use', id: 's' }, { type: 'hologram' }, { type: 'text', text: 'b' }];
  expect(choiceOf({ content, stop_reason: 'end_turn' }).message['content']).toBe('ab');
});

test('an answer without usage has none, rather than zeros that would be billed', () => {
  expect(anthropic.reply({ type: 'message', content: [] }, BODY, context)).not.toHaveProperty('usage');
});

test('an error that comes with a status of success is a failure of its kind', () => {
  expect(() => anthropic.reply({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, BODY, context)).toThrow(expect.objectContaining({ kind: 'overloaded' }));
});

test('whatever comes is either a completion or malformed, never another error', () => {
  const block = fc.record({ type: fc.constantFrom('text', 'thinking', 'tool_use'), text: fc.jsonValue(), input: fc.jsonValue() });
  const message = fc.record({ type: fc.constant('message'), content: fc.array(fc.oneof(fc.jsonValue(), block)), usage: fc.jsonValue(), stop_reason: fc.jsonValue() }, { requiredKeys: [] });
  const outcome = (reply: unknown): unknown => {
    try {
      return anthropic.reply(reply, BODY, context).choices.length;
    } catch (error) {
      return error instanceof AttemptFailure ? error.kind : error;
    }
  };
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), message), (reply) => expect([1, 'malformed']).toContain(outcome(reply))));
});
