import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseChatRequest } from '../chat/chat-request.ts';
import { comparisonRequest, saysSame, VERDICT_TOKENS, type Compared } from './comparison.ts';

describe('what a judge is asked', () => {
  test.each<Compared>(['questions', 'answers'])('two %s come as data: whatever they say, they stand in one JSON object and nowhere else', (what) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (first, second) => {
        const { value } = comparisonRequest('judge', what, [first, second]);
        const messages = value['messages'] as { role: string; content: string }[];
        expect(messages.map(({ role }) => role)).toEqual(['system', 'user']);
        expect(JSON.parse(messages[1]!.content)).toEqual({ first, second });
        expect(messages[0]!.content).toBe((comparisonRequest('judge', what, ['a', 'b']).value['messages'] as { content: string }[])[0]!.content);
      }),
    );
  });

  test('is one short, sober answer of the judge’s model', () => {
    const request = parseChatRequest(comparisonRequest('judge', 'questions', ['a', 'b']));
    expect(request).toMatchObject({ model: 'judge', stream: false, maxOutputTokens: VERDICT_TOKENS, value: { temperature: 0 } });
  });
});

test.each([
  ['SAME', true],
  [' SAME\n', true],
  ['DIFFERENT', false],
  ['Same.', true],
  ['**different**', false],
  ['They are the SAME', null],
  ['SAME or DIFFERENT', null],
  ['yes', null],
  ['', null],
])('a judge that says %j means the same: %j', (answer, same) => {
  expect(saysSame(answer)).toBe(same);
});
