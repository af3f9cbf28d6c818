import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody } from '../validate/json-body.ts';
import { promptTexts, treatedBody } from './prompt-texts.ts';

const body = (value: object) => parseJsonBody(Buffer.from(JSON.stringify(value)));

/** Every text of a body that rules see, with the member in which it stands. */
function seenIn(value: object): [member: string, text: string][] {
  const seen: [string, string][] = [];
  treatedBody(body(value), (text, member) => {
    seen.push([member, text]);
    return text;
  });
  return seen;
}

describe('texts that people wrote into a request', () => {
  test('are found wherever they stand: parts, tool calls, tool results; roles, ids, addresses and data are none', () => {
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

  test('are looked for in every member but settings, and said to stand in it', () => {
    const settings = { model: 'x', user: 'x', safety_identifier: 'x', prompt_cache_key: 'x', service_tier: 'x', tool_choice: { function: { name: 'x' } }, reasoning_effort: 'x', stream_options: { x: 'x' } };
    const schema = { type: 'object', properties: { url: { type: 'string', description: 'b' }, id: { enum: ['c'] } } };
    expect(
      seenIn({
        ...settings,
        tools: [{ type: 'function', function: { name: 'a', parameters: schema } }, { type: 'mcp', server_label: 'd', server_url: 'x', headers: { Authorization: 'x' }, authorization: 'x' }],
        functions: [{ description: 'e' }],
        response_format: { type: 'json_schema', json_schema: { schema: { description: 'f' } } },
        text: { format: { type: 'json_schema', schema: { title: 'g' } } },
        prediction: { type: 'content', content: 'h' },
        stop: ['i'],
        metadata: { id: 'j', url: 'k' },
        prompt: { id: 'x', variables: { data: 'l', picture: { type: 'input_image', image_url: 'x' } } },
        x_unknown: { y: ['m'] },
      }),
    ).toEqual([
      ...['a', 'b', 'c', 'd'].map((text) => ['tools', text]),
      ['functions', 'e'], ['response_format', 'f'], ['text', 'g'], ['prediction', 'h'], ['stop', 'i'], ['metadata', 'j'], ['metadata', 'k'], ['prompt', 'l'], ['x_unknown', 'm'],
    ]);
  });

  test('a body whose texts stay as they are is the very same body', () => {
    const request = body({ messages: [{ role: 'user', content: 'x' }] });
    expect(treatedBody(request, (text) => text)).toBe(request);
  });

  test('only the changed member is written anew; every other byte stays', () => {
    const text = '{"seed": 12345678901234567890, "input":"secret", "x" : 1.0, "y": "\\u0061"}';
    expect(treatedBody(parseJsonBody(Buffer.from(text)), (said) => said.replace('secret', 'gone')).text).toBe('{"seed": 12345678901234567890, "input":"gone", "x" : 1.0, "y": "\\u0061"}');
  });

  test('content rules see all that a moderation model is shown, whatever the body', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('messages', 'input', 'other'), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const seen = seenIn(value).map(([, text]) => text);
        expect(seen).toEqual(expect.arrayContaining(promptTexts(body(value), ['messages', 'input'])));
      }),
    );
  });
});
