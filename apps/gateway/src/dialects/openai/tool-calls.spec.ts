import { describe, expect, test } from '@jest/globals';
import { recordedEvents, recordedText, schemaProblems } from '@deja/testing';
import fc from 'fast-check';
import { StreamedCalls, withCallTypes } from './tool-calls.ts';

const chunk = (calls: object[], index = 0): string => JSON.stringify({ choices: [{ index, delta: { tool_calls: calls }, finish_reason: null }], created: 1 });
const called = (name: string, args = '{}'): object => ({ function: { name, arguments: args } });

/** Index, id and type of every call in these chunks, completed one after the other. */
function completed(...texts: string[]): unknown[][] {
  const calls = new StreamedCalls();
  return texts.flatMap((text) => {
    const { choices } = JSON.parse(calls.complete(JSON.parse(text), text)) as { choices: { delta: { tool_calls: { index: number; id?: string; type?: string }[] } }[] };
    return choices.flatMap(({ delta }) => delta.tool_calls.map(({ index, id, type }) => [index, id, type]));
  });
}

describe('tool calls of a server that leaves fields out', () => {
  test('a recorded stream of Mistral’s becomes one that fits OpenAI’s schema, and so does its recorded reply', () => {
    const calls = new StreamedCalls();
    for (const text of recordedEvents('mistral/mistral-tool-call.chunks.jsonl')) expect(schemaProblems('CreateChatCompletionStreamResponse', JSON.parse(calls.complete(JSON.parse(text), text)))).toEqual([]);
    const text = recordedText('mistral/mistral-tool-call.json');
    const { bytes } = withCallTypes(JSON.parse(text) as object, Buffer.from(text));
    expect(JSON.parse(bytes.toString())).toMatchObject({ choices: [{ message: { tool_calls: [{ id: 'gSIMJiOkT', type: 'function' }] } }] });
  });

  test('calls without an index are counted over the whole stream, choice by choice', () => {
    expect(completed(chunk([{ id: 'a', ...called('one') }, { id: 'b', ...called('two') }]), chunk([{ id: 'c', ...called('three') }]), chunk([{ id: 'd', ...called('other') }], 1))).toEqual([
      [0, 'a', 'function'],
      [1, 'b', 'function'],
      [2, 'c', 'function'],
      [0, 'd', 'function'],
    ]);
  });

  test('a piece that goes on with a call belongs to that call, and does not tell its type again', () => {
    const more = { function: { arguments: '{}' } };
    expect(completed(chunk([{ id: 'a', ...called('one', '') }]), chunk([more]), chunk([{ id: 'b', ...called('two', '') }]), chunk([{ id: 'a', ...more }]), chunk([more]))).toEqual([
      [0, 'a', 'function'],
      [0, undefined, undefined],
      [1, 'b', 'function'],
      [0, 'a', undefined],
      [1, undefined, undefined],
    ]);
  });

  test('an index that was told stays, and only the type is added', () => {
    expect(completed(chunk([{ index: 3, id: 'a', ...called('one') }]), chunk([{ index: 3, function: { arguments: '' } }]))).toEqual([[3, 'a', 'function'], [3, undefined, undefined]]);
  });

  test('what lacks nothing stays byte for byte, and so does all but the choices of what does', () => {
    const whole = '{"seed": 9007199254740993, "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}';
    expect(new StreamedCalls().complete(JSON.parse(whole), whole)).toBe(whole);
    const lacking = whole.replace('"type":"function",', '');
    expect(new StreamedCalls().complete(JSON.parse(lacking), lacking)).toMatch(/^\{"seed": 9007199254740993, "choices":.*"type":"function"/);
    const reply = Buffer.from('{"choices": [{"message":{"content":"tool_calls","tool_calls":null}}]}');
    expect(withCallTypes(JSON.parse(reply.toString()) as object, reply).bytes).toBe(reply);
  });

  test('whatever a chunk holds, completing it never throws and leaves other values as they are', () => {
    fc.assert(fc.property(fc.json(), fc.json(), (calls, other) => {
      const text = `{"other":${other},"choices":[{"index":0,"delta":{"tool_calls":${calls}}},null]}`;
      const after = JSON.parse(new StreamedCalls().complete(JSON.parse(text), text)) as { other: unknown };
      expect(after.other).toEqual(JSON.parse(other));
    }));
  });
});
