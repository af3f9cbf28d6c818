import { expect, test } from '@jest/globals';
import { listPrice, loggedAnswer } from './logged-answer.ts';

const completion = (finish: string | null | undefined, message: object = { content: 'x' }): object => ({ choices: [{ index: 0, message, ...(finish !== undefined && { finish_reason: finish }) }] });
const usage = { prompt_tokens: 1000, completion_tokens: 100 };

test('a cost that is given goes before one that is worked out, and what has neither has none, which is not 0', () => {
  const cost = (line: Record<string, unknown>, model = 'gpt-4o-mini'): unknown => loggedAnswer(line, model).worth.costNanoUsd;
  expect(cost({ cost_usd: 0.0123, response: { usage } })).toBe(12_300_000n);
  expect(cost({ cost_usd: '0.5' })).toBe(500_000_000n);
  // 1,000 × $0.15 and 100 × $0.60 a million
  expect(cost({ response: { usage } })).toBe(210_000n);
  expect(cost({ response: { usage, model: 'gpt-4o-mini-2024-07-18' } }, 'our-own-name')).toBe(210_000n);
  expect([cost({ response: { usage } }, 'nobody-knows-it'), cost({}), cost({ cost_usd: -1 }), cost({ cost_usd: 'free' })]).toEqual([null, null, null, null]);
});

test('tokens are those of prompt and answer; time is what the line says', () => {
  expect(loggedAnswer({ response: { usage }, duration_ms: 812 }, 'm').worth).toEqual({ tokens: 1100, costNanoUsd: null, durationMs: 812 });
  expect(loggedAnswer({ duration_ms: 'long' }, 'm').worth).toEqual({ tokens: null, costNanoUsd: null, durationMs: null });
});

test('a model has its price with and without its provider before its name', () => {
  const price = listPrice('gpt-4o-mini');
  expect([price?.input, listPrice('openai/gpt-4o-mini'), listPrice('anthropic/gpt-4o-mini'), listPrice('our-own-name')]).toEqual([150_000_000, price, null, null]);
  expect(listPrice('claude-3-5-sonnet-20241022')).toEqual(listPrice('anthropic/claude-3-5-sonnet-20241022'));
});

test.each([
  ['a whole answer', completion('stop'), 'similar'], ['one whose end is not said', completion(undefined), 'similar'], ['none in the log', undefined, 'similar'], ['one in a batch file', { status_code: 200, body: completion('stop') }, 'similar'],
  ['one that was cut', completion('length'), 'same'], ['one that calls tools', completion('tool_calls'), 'same'],
  ['one that broke off', completion(null), 'none'], ['one that was filtered', completion('content_filter'), 'none'], ['a refusal', completion('stop', { refusal: 'No.' }), 'none'],
  ['an error', { error: { message: 'x' } }, 'none'], ['an error in a batch file', { status_code: 500, body: {} }, 'none'],
])('%s is kept for questions that are the same, similar or none, as the gateway keeps it', (_, response, keptFor) => {
  expect(loggedAnswer({ response }, 'm').keptFor).toBe(keptFor);
});
