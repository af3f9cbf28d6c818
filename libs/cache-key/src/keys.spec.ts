import type { ParsedBody } from './canonical.ts';
import { cacheKeys, exactCacheKey, fingerprint, type KeyScope } from './keys.ts';

const parsed = (value: unknown): ParsedBody => {
  const text = JSON.stringify(value);
  return { text, value: JSON.parse(text) as Record<string, unknown> };
};
const scope: KeyScope = { tenant: 'acme', scope: 'tenant', servedModel: 'gpt-4o-mini', endpoint: 'chat/completions' };
const ask = (content: unknown, more: object = {}): ParsedBody =>
  parsed({ model: 'gpt-4o-mini', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content }], ...more });

test('the key and the fingerprint of a request never change', () => {
  expect(cacheKeys(ask('What is the capital of France?', { temperature: 0.2 }), scope)).toEqual({
    exact: '3bbe493781685341bfc888bd1862aad9542399e21ecfbb2da1e94c09a1087af1',
    fingerprint: '2eecf86697b269bf665be5c5b333c27bd9d7bccfcb3ad537fc0056da8743fca9',
  });
  const text = '{"model":"m","seed":12345678901234567890,"messages":[{"role":"user","content":[{"type":"text","text":"größer"}]}]}';
  expect(cacheKeys({ text, value: JSON.parse(text) as Record<string, unknown> }, scope)).toEqual({
    exact: 'fc9ae6f44fe73197d0c2d744bb5d3dbd696c0a69a9d28f3602d4afc096f4e1c3',
    fingerprint: '8481d002d97c1dc323f4c054b4a3a29805e43407b47f65ff6740f06a291cf91a',
  });
});

test('both at once are the same as one by one', () => {
  const body = ask('hello there you');
  expect(cacheKeys(body, scope)).toEqual({ exact: exactCacheKey(body, scope), fingerprint: fingerprint(body, scope) });
});

test.each(['tenant', 'scope', 'servedModel', 'endpoint'] as const)('another %s has other keys', (part) => {
  const body = ask('What is the capital of France?');
  const other = { ...scope, [part]: 'other' };
  expect(exactCacheKey(body, other)).not.toBe(exactCacheKey(body, scope));
  expect(fingerprint(body, other)).not.toBe(fingerprint(body, scope));
});

test('parts of the scope cannot run into each other', () => {
  const body = ask('hi');
  expect(exactCacheKey(body, { ...scope, tenant: 'a","b', scope: 'c' })).not.toBe(exactCacheKey(body, { ...scope, tenant: 'a', scope: 'b","c' }));
});

test('the fingerprint depends on everything but the text of the last user turn', () => {
  const base = fingerprint(ask('one'), scope);
  expect(fingerprint(ask('two'), scope)).toBe(base);
  expect(fingerprint(ask('one', { temperature: 1 }), scope)).not.toBe(base);
  expect(fingerprint(parsed({ model: 'gpt-4o-mini', messages: [{ role: 'system', content: 'Be long.' }, { role: 'user', content: 'one' }] }), scope)).not.toBe(base);
  expect(fingerprint(parsed({ model: 'gpt-4o-mini', messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', name: 'Ann', content: 'one' }] }), scope)).not.toBe(base);
  expect(fingerprint(parsed({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'one' }] }), scope)).not.toBe(base);
});

test('a fingerprint keeps the parts of the last turn apart, but not their text', () => {
  const parts = (...texts: string[]): ParsedBody => ask(texts.map((text) => ({ type: 'text', text })));
  expect(fingerprint(parts('a', 'b'), scope)).toBe(fingerprint(parts('c', 'd'), scope));
  expect(fingerprint(parts('a', 'b'), scope)).not.toBe(fingerprint(parts('a'), scope));
  expect(fingerprint(parts('a'), scope)).not.toBe(fingerprint(ask('a'), scope));
});

test('text that looks like the hole is not taken for it', () => {
  const twoTurns = (first: string): ParsedBody => parsed({ messages: [{ role: 'user', content: first }, { role: 'user', content: 'x' }] });
  expect(fingerprint(twoTurns('~'), scope)).not.toBe(fingerprint(twoTurns('x'), scope));
});

test.each([
  ['no messages', parsed({ model: 'm', input: 'text' })],
  ['an empty conversation', parsed({ messages: [] })],
  ['an assistant who spoke last', parsed({ messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }] })],
  ['an image in the last turn', ask([{ type: 'text', text: 'what is it' }, { type: 'image_url', image_url: { url: 'data:' } }])],
  ['no content', ask(null)],
  ['no parts', ask([])],
  ['messages of another type', parsed({ messages: 'hello' })],
])('there is no fingerprint for %s', (_, body) => {
  expect(fingerprint(body, scope)).toBeNull();
  expect(exactCacheKey(body, scope)).toMatch(/^[0-9a-f]{64}$/);
});
