import { describe, expect, test } from '@jest/globals';
import { AttemptFailure, failureOfStatus, finalError, keepingHeaders, retryAfterMs } from './failure.ts';

const body = (code: string): string => JSON.stringify({ error: { message: 'says the provider', type: 't', param: null, code } });

describe('failures of a provider', () => {
  test.each([
    [400, '', 'caller'],
    [401, '', 'auth'],
    [403, '', 'auth'],
    [402, '', 'quota'],
    [404, '', 'model'],
    [408, '', 'timeout'],
    [413, '', 'caller'],
    [422, '', 'caller'],
    [429, '', 'rate'],
    [400, body('context_length_exceeded'), 'context_window'],
    [400, body('content_filter'), 'content_policy'],
    [422, body('content_policy_violation'), 'content_policy'],
    [429, body('insufficient_quota'), 'quota'],
    [500, 'not json', 'overloaded'],
    [503, '', 'overloaded'],
    [302, '', 'overloaded'],
  ])('status %d %s is %s', (status, text, kind) => {
    expect(failureOfStatus(status, {}, text).kind).toBe(kind);
  });

  test('a 429 that only says when its limits are there again is as honest as one that says when to come back', () => {
    const used = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '4s', 'x-ratelimit-remaining-tokens': '10', 'x-ratelimit-reset-tokens': '9s' };
    expect(failureOfStatus(429, used, '').retryAfterMs).toBe(4000);
    expect(failureOfStatus(429, { ...used, 'retry-after': '2' }, '').retryAfterMs).toBe(2000);
    expect(failureOfStatus(429, { ...used, 'x-ratelimit-reset-requests': '9999h' }, '').retryAfterMs).toBe(3_600_000);
    expect(failureOfStatus(500, used, '').retryAfterMs).toBeNull();
  });

  test('a mistake of the caller is told in the provider’s words; a rejected credential never is', () => {
    expect(finalError([failureOfStatus(400, {}, body('context_length_exceeded'))])).toMatchObject({ code: 'context_length_exceeded', message: 'says the provider' });
    const auth = finalError([failureOfStatus(401, {}, JSON.stringify({ error: { message: 'Incorrect API key provided: sk-secret', code: 'invalid_api_key' } }))]);
    expect(auth).toMatchObject({ code: 'upstream_error', status: 502 });
    expect(auth.message).not.toContain('sk-secret');
  });

  test('rate-limited everywhere is 429 with the shortest wait', () => {
    const rate = (ms: number): AttemptFailure => new AttemptFailure('rate', { status: 429, retryAfterMs: ms });
    expect(finalError([rate(9000), rate(4000)])).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 4000 });
    expect(finalError([rate(9000), new AttemptFailure('network')])).toMatchObject({ code: 'upstream_error' });
  });

  test('who does not know the model could not have served it: the others decide', () => {
    const unknown = new AttemptFailure('model', { status: 404 });
    expect(finalError([new AttemptFailure('rate', { retryAfterMs: 5000 }), unknown])).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 5000 });
    expect(finalError([unknown], { forQuota: true, forAttempts: false })).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 1000 });
    expect(finalError([new AttemptFailure('network'), unknown])).toMatchObject({ code: 'upstream_error' });
  });

  test('who rejects the credential could not have served it either: the others decide', () => {
    const rejected = new AttemptFailure('auth', { status: 401 });
    expect(finalError([rejected, new AttemptFailure('rate', { retryAfterMs: 5000 })])).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 5000 });
    expect(finalError([rejected], { forQuota: true, forAttempts: false })).toMatchObject({ code: 'provider_rate_limited' });
    expect(finalError([rejected, new AttemptFailure('model', { status: 404 })])).toMatchObject({ code: 'upstream_error' });
  });

  test('an account without money is not said to have some in a second', () => {
    expect(finalError([new AttemptFailure('quota')])).toMatchObject({ code: 'provider_rate_limited', retryAfterMs: 300_000 });
    expect(finalError([new AttemptFailure('quota'), new AttemptFailure('rate')])).toMatchObject({ retryAfterMs: 1000 });
  });

  test('nobody to ask is 503, unless it is for their quotas: then 429', () => {
    expect(finalError([])).toMatchObject({ code: 'no_deployment_available', status: 503, retryAfterMs: 1000 });
    expect(finalError([], { forQuota: true, forAttempts: false })).toMatchObject({ code: 'provider_rate_limited', status: 429, retryAfterMs: 1000 });
  });

  test('headers stay with the failure, also when a secret is taken out of its words', () => {
    const read = keepingHeaders(failureOfStatus);
    const failure = read(429, { 'x-ratelimit-remaining-tokens': '0', 'retry-after': '2' }, JSON.stringify({ error: { message: 'sk-x is limited' } })).without('sk-x');
    expect(failure).toMatchObject({ kind: 'rate', status: 429, retryAfterMs: 2000, headers: { 'x-ratelimit-remaining-tokens': '0' }, providerError: { message: '[masked] is limited' } });
  });

  test('a model that nobody knows is 404, a timeout 504', () => {
    expect(finalError([new AttemptFailure('model', { status: 404 })])).toMatchObject({ status: 404 });
    expect(finalError([new AttemptFailure('network'), new AttemptFailure('timeout')])).toMatchObject({ status: 504 });
  });

  test('retry-after is read in all its forms', () => {
    expect(retryAfterMs({ 'retry-after-ms': '1500', 'retry-after': '9' })).toBe(1500);
    expect(retryAfterMs({ 'retry-after': '2.5' })).toBe(2500);
    expect(retryAfterMs({ 'retry-after': 'Wed, 25 Nov 2026 00:00:10 GMT' }, Date.parse('2026-11-25T00:00:00Z'))).toBe(10_000);
    expect(retryAfterMs({ 'retry-after': 'soon' })).toBeNull();
    expect(retryAfterMs({ 'retry-after': '99999999' })).toBe(3_600_000);
    expect(retryAfterMs({})).toBeNull();
  });
});

test('a credential that a provider repeats anywhere in its error is masked there', () => {
  const secret = 'sk-planted';
  const failure = new AttemptFailure('caller', { status: 400, providerError: { message: `no ${secret}`, type: `type ${secret}`, param: `header ${secret}`, code: secret } });
  expect(JSON.stringify(failure.without(secret).providerError)).not.toContain(secret);
  for (const field of ['type', 'param', 'code']) {
    const said = { message: 'no', type: 't', param: 'p', code: 'c', [field]: secret };
    expect(new AttemptFailure('caller', { status: 400, providerError: said }).without(secret).providerError).toEqual({ ...said, [field]: '[masked]' });
  }
});
