import { expect, test } from '@jest/globals';
import { parseJsonBody } from '../validate/json-body.ts';
import { parseCompletionsRequest } from './completions-request.ts';

const choicesOf = (body: object): number => parseCompletionsRequest(parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', prompt: 'Hi', ...body })))).choices;

test.each([
  [{}, 1],
  [{ n: 3 }, 3],
  [{ best_of: 20 }, 20],
  [{ n: 2, best_of: 5 }, 5],
  [{ n: 2, best_of: 0 }, 2],
  [{ prompt: ['a', 'b', 'c'], n: 2, best_of: 4 }, 12],
])('answers that are made and billed count, shown or not: %j are %d', (body, choices) => {
  expect(choicesOf(body)).toBe(choices);
});
