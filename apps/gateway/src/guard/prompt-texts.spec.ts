import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody } from '../validate/json-body.ts';
import { promptTexts, withTexts } from './prompt-texts.ts';

const body = (value: object) => parseJsonBody(Buffer.from(JSON.stringify(value)));

describe('texts that people wrote into a request', () => {
  test('are found wherever they stand: parts, tool calls, tool results; names, ids, addresses and data are none', () => {
    const request = body({
      model: 'm',
      messages: [
        { role: 'system', content: 'one' },
        { role: 'user', content: [{ type: 'text', text: 'two' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] },
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":"three"}' } }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'four' },
      ],
      user: 'not a text',
    });
    expect(promptTexts(request, ['messages'])).toEqual(['one', 'two', 'f', '{"a":"three"}', 'four']);
  });

  test('a body whose texts stay as they are is the very same body', () => {
    const request = body({ messages: [{ role: 'user', content: 'x' }] });
    expect(withTexts(request, ['messages', 'input'], (text) => text)).toBe(request);
  });

  test('only the changed member is written anew; every other byte stays', () => {
    const text = '{"seed": 12345678901234567890, "input":"secret", "x" : 1.0}';
    expect(withTexts(parseJsonBody(Buffer.from(text)), ['input'], () => 'gone').text).toBe('{"seed": 12345678901234567890, "input":"gone", "x" : 1.0}');
  });

  test('treating and reading see the same texts, whatever the body', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('messages', 'input', 'other'), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const request = body(value);
        const seen: string[] = [];
        withTexts(request, ['messages', 'input'], (text) => (seen.push(text), text));
        expect(seen).toEqual(promptTexts(request, ['messages', 'input']));
      }),
    );
  });
});
