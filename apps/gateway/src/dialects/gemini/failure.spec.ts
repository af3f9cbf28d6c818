import { recordedText } from '@deja/testing';
import { gemini } from './gemini.ts';
import { geminiFailure } from './failure.ts';

const failing = (code: number, status: string, message: string, details: object[] = []): string => JSON.stringify({ error: { code, status, message, details } });
const errorInfo = (reason: string): object => ({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'googleapis.com' });
const quota = (quotaId: string): object => ({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId }] });

test('a recorded 429 is a rate limit that ends when Google says so', () => {
  const failure = gemini(null).failure(429, {}, recordedText('google/google-429-retry-info.json'));
  expect(failure).toMatchObject({ kind: 'rate', status: 429, retryAfterMs: 34_400, retryable: true });
  expect(failure.providerError?.message).toBe('You exceeded your current quota, please check your plan.');
});

test.each([
  ['an invalid key, which Gemini calls a bad request', 400, failing(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [errorInfo('API_KEY_INVALID')]), 'auth'],
  ['an expired key', 400, failing(400, 'INVALID_ARGUMENT', 'API key expired. Please renew the API key.'), 'auth'],
  ['an account that may not be served from here', 400, failing(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.'), 'auth'],
  ['a key without rights', 403, failing(403, 'PERMISSION_DENIED', 'Generative Language API has not been used in project 1 before.', [errorInfo('SERVICE_DISABLED')]), 'auth'],
  ["somebody else's file, which says nothing about the key", 403, failing(403, 'PERMISSION_DENIED', 'You do not have permission to access the File abc or it may not exist.'), 'caller'],
  ['a minute that is full', 429, failing(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', [quota('GenerateRequestsPerMinutePerProjectPerModel')]), 'rate'],
  ['a day that is used up', 429, failing(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', [quota('GenerateRequestsPerDayPerProjectPerModel-FreeTier')]), 'quota'],
  ['an account that is closed', 403, failing(403, 'PERMISSION_DENIED', 'This API method requires billing to be enabled.', [errorInfo('BILLING_DISABLED')]), 'quota'],
  ['a prompt that a filter refuses', 400, failing(400, 'INVALID_ARGUMENT', "This prompt contains sensitive words that violate Google's Responsible AI practices."), 'content_policy'],
  ['an unknown model', 404, failing(404, 'NOT_FOUND', 'models/x is not found for API version v1beta.'), 'model'],
  ['too much load', 503, failing(503, 'UNAVAILABLE', 'The model is overloaded.'), 'overloaded'],
  ['a bug of theirs', 500, failing(500, 'INTERNAL', 'An internal error has occurred.'), 'overloaded'],
  ['a deadline of theirs', 504, failing(504, 'DEADLINE_EXCEEDED', 'The service was unable to finish in time.'), 'timeout'],
  ['a request that is wrong', 400, failing(400, 'INVALID_ARGUMENT', 'Invalid value at generation_config.top_p'), 'caller'],
  ['a page of some proxy', 502, '<html>Bad gateway</html>', 'overloaded'],
])('%s is told from the rest', (_, status, body, kind) => {
  expect(geminiFailure(status, {}, body).kind).toBe(kind);
});

test("the provider's words for a mistake of the caller come in OpenAI's shape, also out of a list", () => {
  const message = 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).';
  const body = failing(400, 'INVALID_ARGUMENT', message);
  const said = { message, type: 'invalid_request_error', param: null, code: 'context_length_exceeded' };
  expect(geminiFailure(400, {}, body)).toMatchObject({ kind: 'context_window', providerError: said });
  expect(geminiFailure(400, {}, `[${body}]`)).toMatchObject({ kind: 'context_window', providerError: said });
  expect(geminiFailure(400, {}, failing(400, 'INVALID_ARGUMENT', 'Unknown name "x"')).providerError).toMatchObject({ message: 'Unknown name "x"', code: 'invalid_value' });
});

test('without RetryInfo the header says how long to wait, and no wait is longer than an hour', () => {
  const wait = (retryDelay: string): string => failing(429, 'RESOURCE_EXHAUSTED', 'x', [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }]);
  expect(geminiFailure(429, { 'retry-after': '7' }, failing(429, 'RESOURCE_EXHAUSTED', 'x')).retryAfterMs).toBe(7000);
  expect(geminiFailure(429, { 'retry-after': '7' }, wait('soon')).retryAfterMs).toBe(7000);
  expect(geminiFailure(429, {}, wait('86400s')).retryAfterMs).toBe(3_600_000);
});

test.each(['', 'null', '[]', '[null]', '{"error":"text"}', '{"error":{"message":1}}', '{"error":{"message":"x","details":"y"}}'])('the body %j is no reason to fall over', (body) => {
  expect(geminiFailure(400, {}, body).kind).toBe('caller');
});
