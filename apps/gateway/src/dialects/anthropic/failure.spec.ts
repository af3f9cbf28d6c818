import { anthropic } from './anthropic.ts';

const error = (type: string, message: string): string => JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_1' });

test.each([
  [400, 'invalid_request_error', 'caller'],
  [401, 'authentication_error', 'auth'],
  [402, 'billing_error', 'quota'],
  [403, 'permission_error', 'auth'],
  [404, 'not_found_error', 'model'],
  [413, 'request_too_large', 'caller'],
  [429, 'rate_limit_error', 'rate'],
  [500, 'api_error', 'overloaded'],
  [504, 'timeout_error', 'timeout'],
  [529, 'overloaded_error', 'overloaded'],
])('status %i, %s, is %s', (status, type, kind) => {
  expect(anthropic.failure(status, {}, error(type, 'No.'))).toMatchObject({ kind, status });
});

test('how long to wait is read from retry-after', () => {
  expect(anthropic.failure(429, { 'retry-after': '12' }, error('rate_limit_error', 'Slow down.')).retryAfterMs).toBe(12_000);
});

test.each([
  'prompt is too long: 209000 tokens > 200000 maximum',
  'input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again',
])('"%s" is a context that is too long', (message) => {
  expect(anthropic.failure(400, {}, error('invalid_request_error', message))).toMatchObject({ kind: 'context_window', providerError: { code: 'context_length_exceeded', message } });
});

test('an account that has run out is a credential of no use, not a mistake of the caller', () => {
  expect(anthropic.failure(400, {}, error('invalid_request_error', 'Your credit balance is too low to access the Anthropic API.')).kind).toBe('quota');
});

test('an answer blocked by the content filter says so', () => {
  expect(anthropic.failure(400, {}, error('invalid_request_error', 'Output blocked by content filtering policy'))).toMatchObject({ kind: 'content_policy', providerError: { code: 'content_policy_violation' } });
});

test.each([
  ['max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens', 'max_tokens'],
  ['messages.1.content.0.image.source: bad', 'messages'],
  ['stop_sequences: each stop sequence must contain non-whitespace', 'stop'],
  ['output_config.format.schema: too complex', 'response_format'],
  ['Something else: it happens', null],
])('"%s" keeps its words and names the parameter as the client called it', (message, param) => {
  expect(anthropic.failure(400, {}, error('invalid_request_error', message)).providerError).toEqual({ message, type: 'invalid_request_error', param, code: 'invalid_value' });
});

test.each(['', '<html>', '{}', 'null', '{"error":"text"}'])('an answer of %j in place of an error is still classified by its status', (body) => {
  expect(anthropic.failure(529, {}, body)).toMatchObject({ kind: 'overloaded', providerError: null });
});
