import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shapeOf } from './shape.ts';
import { MEMBER_NAMES, SETTING_VALUES } from './shape-words.ts';

describe('the shape of a body', () => {
  test('has its structure, numbers and settings, and the length of each text', () => {
    const body = {
      model: 'gpt-4o-mini',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } }] },
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'lookup', arguments: '{"a":1}' } }] },
      ],
      tools: [{ type: 'function', function: { name: 'lookup', parameters: { type: 'object', properties: { city: { type: ['string', 'null'] }, town: {} } } } }],
      temperature: 0.5,
      stream: true,
      metadata: { order: 'A-17' },
    };
    expect(shapeOf(body)).toEqual({
      model: 'gpt-4o-mini',
      messages: [
        { role: 'system', content: { chars: 9 } },
        { role: 'user', content: [{ type: 'text', text: { chars: 13 } }, { type: 'image_url', image_url: { url: { chars: 26 }, detail: 'low' } }] },
        { role: 'assistant', content: null, tool_calls: [{ id: { chars: 6 }, type: 'function', function: { name: { chars: 6 }, arguments: { chars: 7 } } }] },
      ],
      tools: [{ type: 'function', function: { name: { chars: 6 }, parameters: { type: 'object', properties: { '(4 chars)': { type: ['string', 'null'] }, '(4 chars) 2': {} } } } }],
      temperature: 0.5,
      stream: true,
      metadata: { '(5 chars)': { chars: 4 } },
    });
  });

  test('has no tokens, no vectors and no probabilities, which would tell the text', () => {
    expect(shapeOf({ input: [[1, 2, 3], [4]], choices: [{ logprobs: { content: [{ token: 'a', logprob: -1 }] } }], embedding: [] })).toEqual({
      input: [{ numbers: 3 }, { numbers: 1 }], choices: [{ logprobs: { left_out: true } }], embedding: [],
    });
  });

  test('keeps a setting only where it is a word of the API', () => {
    expect(shapeOf({ role: 'user', type: 'my own words', finish_reason: 'stop', text: 'user', model: 'two words' })).toEqual({
      role: 'user', type: { chars: 12 }, finish_reason: 'stop', text: { chars: 4 }, model: { chars: 9 },
    });
  });

  test('ends where a body is too deep or too long, whatever it holds', () => {
    let deep: unknown = 'secret';
    for (let n = 0; n < 10_000; n++) deep = { content: deep };
    expect(JSON.stringify(shapeOf(deep))).toContain('{"content":{"left_out":true}}');
    const long = shapeOf({ input: Array.from({ length: 50_000 }, () => 'x') }) as { input: unknown[] };
    expect(long.input.length).toBeLessThan(20_001);
    expect(long.input.at(-1)).toEqual({ left_out: true });
    expect(Object.keys(shapeOf(Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`name ${n}`, n]))) as object).length).toBeLessThan(20_002);
  });

  test('has no text of the body in it, wherever that stands: as a value, as a name, as a setting', () => {
    // Written in letters that no word of the API has, so that any of it that is left would be seen.
    const secret = fc.string({ minLength: 1, maxLength: 30, unit: fc.constantFrom('ж', 'щ', 'Ω', '猫', '😀') });
    const name = fc.oneof(secret, fc.constantFrom(...MEMBER_NAMES, '__proto__'));
    const leaf = fc.oneof(secret, fc.double(), fc.boolean(), fc.constant(null), fc.constantFrom(...SETTING_VALUES));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 6 }, leaf, fc.array(tie('value'), { maxLength: 5 }), fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries))),
    }));
    fc.assert(
      fc.property(value, (body) => {
        const shape = JSON.stringify(shapeOf(JSON.parse(JSON.stringify(body)) as unknown));
        expect(shape).not.toMatch(/[жщΩ猫😀]/u);
      }),
      { numRuns: 500 },
    );
  });
});
