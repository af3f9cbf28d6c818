import { expect, test } from '@jest/globals';
import { OpenAiChunks } from './chunk-source.ts';

const push = (chunk: unknown): unknown => new OpenAiChunks().push({ event: null, data: JSON.stringify(chunk) });

test.each([
  [{ choices: [null] }],
  [{ choices: [[]] }],
  [{ choices: [{ index: 0.5, delta: {} }] }],
  [{ choices: [{ index: 0, delta: 'text' }] }],
  [{ choices: [{ index: 0, delta: { tool_calls: [null] } }] }],
  [{ choices: [{ index: 0, delta: { tool_calls: {} } }] }],
  [{ choices: [{ index: 0, delta: {}, finish_reason: 1 }] }],
])('a chunk that is none is a malformed answer: %j', (chunk) => {
  expect(() => push(chunk)).toThrow(expect.objectContaining({ kind: 'malformed' }));
});

test.each([
  [{ choices: [] }],
  [{ choices: [{ delta: null, finish_reason: null }] }],
  [{ choices: [{ index: 1, delta: { content: 'a', tool_calls: null }, finish_reason: 'stop' }] }],
  [{ error: { message: 'busy' } }],
])('and what servers leave out, or say besides, is none: %j', (chunk) => {
  expect(push(chunk)).toEqual([{ chunk, text: JSON.stringify(chunk) }]);
});
