import { describe, expect, test } from '@jest/globals';
import { cacheKeys } from '@deja/cache-key';
import { loggedRequest, type LoggedRequest } from './logged-request.ts';

const chat = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'How do I reset a password?' }] };
const read = (line: unknown): LoggedRequest => {
  const request = loggedRequest(JSON.stringify(line));
  if ('problem' in request) throw new Error(request.problem);
  return request;
};
const problem = (text: string): unknown => (loggedRequest(text) as { problem?: string }).problem;

test('a wrapped request, a bare body and a line of a batch file are the same request', () => {
  const keys = [{ request: chat }, chat, { custom_id: '1', method: 'POST', url: '/v1/chat/completions', body: chat }].map((line) => {
    const { body, model, tenant } = read(line);
    return [cacheKeys(body, { tenant, scope: 'tenant', servedModel: model, endpoint: 'chat/completions' }).exact, model, tenant];
  });
  expect(keys).toEqual([keys[0], keys[0], keys[0]]);
});

test('a wrapped request keeps the digits that its numbers were written with', () => {
  const key = (seed: string): string => {
    const request = loggedRequest(`{"tenant":"acme","request":{"model":"m","seed":${seed},"messages":[{"role":"user","content":"x"}]}}`) as LoggedRequest;
    return cacheKeys(request.body, { tenant: 'acme', scope: 'tenant', servedModel: 'm', endpoint: 'chat/completions' }).exact;
  };
  expect(key('9007199254740993')).not.toBe(key('9007199254740992'));
  expect(key('1.0')).toBe(key('1'));
});

test.each([
  ['2026-01-01T00:00:00Z', 1_767_225_600_000], [1_767_225_600, 1_767_225_600_000], [1_767_225_600.5, 1_767_225_600_500], [1_767_225_600_000, 1_767_225_600_000], ['1767225600', 1_767_225_600_000], [undefined, null], [null, null],
])('the time %p is %p in Unix ms', (at, ms) => expect(read({ request: chat, at }).atMs).toBe(ms));

test('the end user is named by the line, else by the request', () => {
  const named = { ...chat, user: 'of the body', safety_identifier: 'safe' };
  expect([read({ request: named, user: 'of the line' }).user, read({ request: named }).user, read({ ...chat, user: 'of the body' }).user, read(chat).user]).toEqual(['of the line', 'safe', 'of the body', null]);
});

describe('what is no chat request says so', () => {
  test.each([
    ['nonsense', 'is no JSON object'], ['[]', 'is no JSON object'], ['{"request":{"model":"m"}}', 'has no chat request: no messages'], ['{"messages":[]}', 'has no model'],
    [JSON.stringify({ url: '/v1/embeddings', body: { model: 'm', input: 'x' } }), 'is no chat completion but /v1/embeddings'],
    [JSON.stringify({ request: chat, at: 'yesterday' }), 'has a time that is neither ISO 8601 nor Unix time'],
    [`{"model":"m","messages":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'is no JSON object'],
  ])('%.60s', (text, expected) => expect(problem(text)).toBe(expected));
});
