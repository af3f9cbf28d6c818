import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkedChat } from './chat-request.ts';
import { isPlainChat } from './plain-chat.ts';

const anything = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 300 }), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({}));
const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> => fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: anything });

const said = fc.record({ role: rarely(fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'function')), content: rarely(fc.string()) });
const message = fc.oneof({ weight: 5, arbitrary: said }, { weight: 1, arbitrary: fc.record({ role: fc.constantFrom('assistant', 'nobody'), content: rarely(fc.string()), name: fc.string(), tool_calls: fc.constant([]) }, { requiredKeys: ['role'] }) });
const number = (...edges: number[]): fc.Arbitrary<unknown> => rarely(fc.oneof(fc.constantFrom(...edges), fc.double({ min: -3, max: 3, noNaN: true }), fc.integer({ min: -3, max: 300 })));
const members: Record<string, fc.Arbitrary<unknown>> = {
  stream: rarely(fc.boolean()), store: rarely(fc.boolean()), logprobs: rarely(fc.boolean()), parallel_tool_calls: rarely(fc.boolean()),
  temperature: number(0, 2, -0.1, 2.1), top_p: number(0, 1, 1.1), presence_penalty: number(-2, 2), frequency_penalty: number(-2.1, 2),
  n: number(1, 128, 129, 1.5), max_tokens: number(0, 1, 1.5, 2 ** 53), max_completion_tokens: number(1, 2 ** 53 - 1),
  stop: rarely(fc.string()), user: rarely(fc.string()), safety_identifier: rarely(fc.string()), seed: number(1, 1.5), stream_options: rarely(fc.constant({})), anything,
};
const member = fc.oneof(...Object.entries(members).map(([name, value]) => value.map((given) => [name, given] as const)));
const body = fc
  .tuple(rarely(fc.string({ minLength: 1, maxLength: 300 })), rarely(fc.array(message, { minLength: 1, maxLength: 2 })), fc.array(member, { maxLength: 3 }))
  .map(([model, messages, others]): Record<string, unknown> => ({ model, messages, ...Object.fromEntries(others) }));

describe('a chat request that is plain', () => {
  test('is one that the schema takes, and as it stands', () => {
    let plain = 0;
    fc.assert(
      fc.property(body, (given) => {
        if (!isPlainChat(given)) return;
        plain++;
        expect(checkedChat(given)).toEqual(given);
      }),
      { numRuns: 3000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  test.each<[string, Record<string, unknown>]>([
    ['the usual one', { model: 'm', messages: [{ role: 'system', content: '' }, { role: 'user', content: 'Hi' }], temperature: 0.2, max_tokens: 100, stream: true, user: 'u' }],
    ['the least there is', { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }],
  ])('is %s', (_, given) => expect(isPlainChat(given)).toBe(true));

  test.each<[string, Record<string, unknown>]>([
    ['without a model', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['without messages', { model: 'm' }],
    ['with a member that is not known here', { model: 'm', messages: [{ role: 'user', content: 'Hi' }], extra: 1 }],
    ['with parts in a message', { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] }],
    ['with names of everything’s prototype', JSON.parse('{"model":"m","messages":[{"role":"user","content":"Hi"}],"__proto__":1,"constructor":2}') as Record<string, unknown>],
  ])('is none %s', (_, given) => expect(isPlainChat(given)).toBe(false));
});
