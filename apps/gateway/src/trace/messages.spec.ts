import { describe, expect, test } from '@jest/globals';
import { inputOf, outputOf } from './messages.ts';

const text = (content: string): object => ({ type: 'text', content });

describe('what a request says, by the conventions’ schema', () => {
  test('of chat completions: every role, calls of tools and what they gave; of a picture only that it was there', () => {
    const { messages, instructions } = inputOf('chat/completions', {
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'https://example.com/cat.png?sig=secret' } }] },
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"closer":true}' } }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'A cat.' },
      ],
    });
    expect(instructions).toEqual([]);
    expect(messages).toEqual([
      { role: 'system', parts: [text('Be brief.')] },
      { role: 'user', parts: [text('What is this?'), { type: 'image_url' }] },
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'call_1', name: 'look', arguments: '{"closer":true}' }] },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_1', response: 'A cat.' }] },
    ]);
  });

  test('of responses: instructions stand apart, items are messages', () => {
    const { messages, instructions } = inputOf('responses', {
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'What time is it?' }] },
        { type: 'function_call', call_id: 'call_1', name: 'clock', arguments: '{}' },
        { type: 'function_call_output', call_id: 'call_1', output: 'Noon.' },
      ],
    });
    expect(instructions).toEqual([text('Be brief.')]);
    expect(messages).toEqual([
      { role: 'user', parts: [text('What time is it?')] },
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'call_1', name: 'clock', arguments: '{}' }] },
      { role: 'assistant', parts: [{ type: 'tool_call_response', id: 'call_1', response: 'Noon.' }] },
    ]);
    expect(inputOf('responses', { input: 'Hello?' }).messages).toEqual([{ role: 'user', parts: [text('Hello?')] }]);
  });

  test('of completions: each prompt; of any other endpoint nothing', () => {
    expect(inputOf('completions', { prompt: ['Once', 'Twice'] }).messages).toEqual([{ role: 'user', parts: [text('Once')] }, { role: 'user', parts: [text('Twice')] }]);
    expect(inputOf('embeddings', { input: 'Hello?' })).toEqual({ messages: [], instructions: [] });
    expect(inputOf('moderations', { input: 'Hello?' })).toEqual({ messages: [], instructions: [] });
  });
});

describe('what an answer says', () => {
  test('is one message for each choice, with why it ended', () => {
    expect(outputOf('chat/completions', { choices: [{ message: { role: 'assistant', content: 'Yes.' }, finish_reason: 'stop' }, { message: { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', function: { name: 'look', arguments: '{}' } }] }, finish_reason: 'tool_calls' }] })).toEqual([
      { role: 'assistant', parts: [text('Yes.')], finish_reason: 'stop' },
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'call_1', name: 'look', arguments: '{}' }], finish_reason: 'tool_call' },
    ]);
    expect(outputOf('completions', { choices: [{ text: ' upon a time', finish_reason: 'length' }] })).toEqual([{ role: 'assistant', parts: [text(' upon a time')], finish_reason: 'length' }]);
  });

  test('of a response is one message of all its items', () => {
    const output = [{ type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] }, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Noon.' }] }];
    expect(outputOf('responses', { status: 'completed', output })).toEqual([{ role: 'assistant', parts: [{ type: 'reasoning', content: 'Hm.' }, text('Noon.')], finish_reason: 'stop' }]);
    expect(outputOf('responses', { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output })[0]?.finish_reason).toBe('length');
    expect(outputOf('responses', { status: 'queued', output: [] })).toEqual([]);
  });

  test('that is no answer is nothing', () => {
    for (const odd of [{}, { choices: 'no' }, { choices: [null, 7] }, { output: [{}] }]) expect(() => outputOf('chat/completions', odd)).not.toThrow();
    expect(outputOf('chat/completions', { error: { message: 'No.' } })).toEqual([]);
  });
});
