import { describe, expect, test } from '@jest/globals';
import { recordedText } from '@deja/testing';
import fc from 'fast-check';
import { finalError } from '../../attempt/failure.ts';
import { serverOf } from './compatible-servers.ts';
import { openAiFailure } from './failure.ts';

const named = (server: string) => serverOf({ kind: 'openai', baseUrl: 'https://x.example', server });
const fail = (server: string, status: number, body: unknown, headers = {}) => openAiFailure(status, headers, typeof body === 'string' ? body : JSON.stringify(body), named(server));

const AZURE_FILTER = {
  error: {
    message: 'The response was filtered due to the prompt triggering content management policy.',
    type: null,
    param: 'prompt',
    code: 'content_filter',
    status: 400,
    innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: { hate: { filtered: true, severity: 'medium' } } },
  },
};

describe('refusals of OpenAI-compatible servers', () => {
  test.each([
    ['azure-openai', 400, AZURE_FILTER, 'content_policy', 'content_filter'],
    ['azure-openai', 400, { error: { message: 'Filtered.', code: '400', innererror: { code: 'ResponsibleAIPolicyViolation' } } }, 'content_policy', 'content_filter'],
    ['azure-openai', 400, { error: { message: 'Your task failed.', code: 'contentFilter' } }, 'content_policy', 'content_filter'],
    ['openrouter', 403, { error: { message: 'Your input was flagged', code: 403, metadata: { reasons: ['violence'] } } }, 'content_policy', 'content_filter'],
    ['openai', 400, { error: { message: 'Rejected.', code: 'content_policy_violation' } }, 'content_policy', 'content_policy_violation'],
    ['azure-openai', 404, { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist.' } }, 'model', 'DeploymentNotFound'],
    ['azure-openai', 401, { statusCode: 401, message: 'Unauthorized. Access token is missing.' }, 'auth', ''],
    ['azure-openai', 429, { error: { code: '429', message: 'Requests have exceeded the rate limit.' } }, 'rate', '429'],
    ['vllm', 404, { object: 'error', message: 'The model `x` does not exist.', type: 'NotFoundError', param: null, code: 404 }, 'model', ''],
    ['mistral', 400, { object: 'error', message: 'Invalid model: x', type: 'invalid_model', param: null, code: '1500' }, 'model', '1500'],
    ['deepseek', 400, { error: { message: 'Model Not Exist', type: 'invalid_request_error', param: null, code: 'invalid_request_error' } }, 'model', 'invalid_request_error'],
    ['openrouter', 400, { error: { message: 'x/y is not a valid model ID', code: 400 } }, 'model', ''],
    ['ollama', 404, { error: 'model "x" not found, try pulling it first' }, 'model', ''],
    ['xai', 400, { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***bc.' }, 'auth', ''],
    ['xai', 403, { code: 'The caller does not have permission to execute the specified operation', error: "Your newly created team doesn't have any credits yet." }, 'quota', ''],
    ['xai', 429, { code: 'x', error: 'Your team has either used all available credits or reached its monthly spending limit.' }, 'quota', 'x'],
    ['xai', 400, { code: 'Client specified an invalid argument', error: 'Argument not supported on this model: stop' }, 'caller', ''],
    ['deepseek', 402, { error: { message: 'Insufficient Balance', type: 'unknown_error', param: null, code: 'invalid_request_error' } }, 'quota', 'invalid_request_error'],
    ['openrouter', 402, { error: { message: 'Insufficient credits.', code: 402 } }, 'quota', ''],
    ['openai', 429, { error: { message: 'You exceeded your current quota.', type: 'insufficient_quota', code: null } }, 'quota', ''],
    ['openai', 400, { error: { message: 'Billing hard limit has been reached', type: 'invalid_request_error', param: null, code: 'billing_hard_limit_reached' } }, 'quota', 'billing_hard_limit_reached'],
    ['groq', 413, { error: { message: 'Request too large for model on tokens per minute', type: 'tokens', code: 'rate_limit_exceeded' } }, 'rate', 'rate_limit_exceeded'],
    ['cohere', 429, { message: 'Please wait and try again later' }, 'rate', ''],
    ['cohere', 401, { message: 'invalid api token' }, 'auth', ''],
    ['generic', 503, { detail: 'loading' }, 'overloaded', ''],
    ['generic', 500, { error: { message: 'insufficient_quota', type: 'insufficient_quota' } }, 'overloaded', ''],
  ])('%s, status %d, %j is %s with code "%s"', (server, status, body, kind, code) => {
    const failure = fail(server, status, body);
    expect(failure).toMatchObject({ kind, status });
    expect(failure.providerError?.code).toBe(code);
  });

  test.each([
    ['vllm', { object: 'error', message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.", type: 'BadRequestError', param: null, code: 400 }],
    ['vllm', { error: { message: 'The decoder prompt (length 5000) is longer than the maximum model length of 4096.', type: 'BadRequestError', code: 400 } }],
    ['vllm', { object: 'error', message: 'max_tokens must be at least 1, got -186.', type: 'BadRequestError', param: null, code: 400 }],
    ['groq', { error: { message: 'Please reduce the length of the messages or completion.', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } }],
    ['together', { error: { message: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193.', type: 'invalid_request_error', param: 'max_tokens', code: null } }],
    ['mistral', { object: 'error', message: 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length', type: 'invalid_request_error', param: null, code: '3051' }],
    ['xai', { code: 'Client specified an invalid argument', error: "This model's maximum prompt length is 131072 but the request contains 140000 tokens." }],
    ['openrouter', { error: { message: "This endpoint's maximum context length is 8192 tokens.", code: 400 } }],
    ['fireworks', { error: { object: 'error', type: 'invalid_request_error', message: 'The prompt is too long: 9000, model maximum context length: 8191' } }],
    ['cohere', { message: 'too many tokens: total number of tokens in the prompt cannot exceed 4081' }],
    ['generic', { error: { code: 400, message: 'request (5000 tokens) exceeds the available context size (4096 tokens)', type: 'exceed_context_size_error' } }],
  ])('%s: a prompt that is too long is known by %j', (server, body) => {
    const failure = fail(server, 400, body);
    expect(failure).toMatchObject({ kind: 'context_window', providerError: { code: 'context_length_exceeded' } });
    expect(finalError([failure])).toMatchObject({ code: 'context_length_exceeded', status: 400 });
  });

  test('a filtered prompt is the caller’s, in Azure’s own words', () => {
    expect(finalError([fail('azure-openai', 400, AZURE_FILTER)])).toMatchObject({ code: 'content_policy_violation', param: 'prompt', message: AZURE_FILTER.error.message });
  });

  test.each([
    ['FastAPI’s text', { detail: 'Not today' }, 'Not today', null],
    ['FastAPI’s findings', { detail: [{ type: 'missing', loc: ['body', 'messages', 0, 'role'], msg: 'Field required' }] }, 'messages[0].role: Field required', 'messages[0].role'],
    ['Mistral’s findings', { object: 'error', message: { detail: [{ loc: ['body', 'x'], msg: 'Extra inputs are not permitted', input: 'secret' }] }, param: null, code: null }, 'x: Extra inputs are not permitted', 'x'],
    ['Mistral’s newer findings', { object: 'Error', message: [{ loc: ['body', 'tools'], msg: 'no' }, { loc: ['body', 'n'], msg: 'nor this' }], code: 3001 }, 'tools: no; n: nor this', 'tools'],
    ['Ollama’s text', { error: 'invalid message format' }, 'invalid message format', null],
    ['a list around it', [{ error: { message: 'in a list', param: 'p' } }], 'in a list', 'p'],
  ])('%s comes out in OpenAI’s shape', (_, body, message, param) => {
    expect(fail('generic', 422, body)).toMatchObject({ kind: 'caller', providerError: { message, param } });
  });

  test('OpenAI’s recorded refusals stay what they are', () => {
    expect(fail('openai', 429, recordedText('openai/openai-error.1.json'))).toMatchObject({ kind: 'quota', providerError: { code: 'insufficient_quota' } });
    expect(fail('openai', 400, recordedText('openai/reasoning-model-legacy-parameter-error.json'))).toMatchObject({ kind: 'caller', providerError: { param: 'max_tokens', code: 'unsupported_parameter' } });
  });

  test('what a server asks to wait is kept', () => {
    expect(fail('groq', 429, { error: { message: 'slow down' } }, { 'retry-after': '7' }).retryAfterMs).toBe(7000);
    expect(fail('groq', 429, 'slow down', { 'retry-after': '7' })).toMatchObject({ kind: 'rate', retryAfterMs: 7000, providerError: null });
  });

  test('no body whatever makes it throw, or repeats what is no text', () => {
    const likeAnError = fc.dictionary(fc.constantFrom('error', 'message', 'detail', 'code', 'innererror', 'metadata'), fc.jsonValue()).map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 599 }), fc.oneof(fc.string(), fc.json(), likeAnError), (status, body) => {
        const failure = fail('openrouter', status, body);
        expect(failure.status).toBe(status);
        expect(Object.values(failure.providerError ?? {}).filter((value) => typeof value !== 'string' && value !== null)).toEqual([]);
      }),
    );
  });
});
