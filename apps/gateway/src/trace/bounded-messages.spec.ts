import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundedJson, MOST_BYTES } from './bounded-messages.ts';
import type { MessagePart, TracedMessage } from './messages.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 3000 });
const part: fc.Arbitrary<MessagePart> = fc.oneof(
  fc.record({ type: fc.constantFrom('text', 'reasoning'), content: text }),
  fc.record({ type: fc.constant('tool_call'), id: fc.string(), name: fc.string(), arguments: text }),
  fc.record({ type: fc.constant('tool_call_response'), id: fc.string(), response: text }),
  fc.record({ type: fc.constantFrom('image_url', 'input_audio') }),
);
const messages: fc.Arbitrary<TracedMessage[]> = fc.array(fc.record({ role: fc.constantFrom('user', 'assistant', 'system', 'tool'), parts: fc.array(part, { maxLength: 4 }) }), { maxLength: 20 });
const keep = fc.constantFrom('first' as const, 'last' as const);
const said = (content: string): TracedMessage => ({ role: 'user', parts: [{ type: 'text', content }] });
const parsed = (json: string): TracedMessage[] => JSON.parse(json) as TracedMessage[];

describe('messages of a span', () => {
  test('are JSON, never longer than the bound, and say whether anything was left out', () => {
    fc.assert(fc.property(messages, keep, fc.integer({ min: 300, max: 8000 }), (all, which, most) => {
      const { json, isCut } = boundedJson(all, which, most);
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(most);
      for (const { role, parts } of parsed(json)) expect([typeof role, Array.isArray(parts)]).toEqual(['string', true]);
      expect(isCut).toBe(json.includes('[cut of ') || json.includes('"type":"cut"') || parsed(json).length < all.length || (parsed(json).flatMap(({ parts }) => parts).length < all.flatMap(({ parts }) => parts).length));
    }), { numRuns: 200 });
  });

  test('that fit are kept as they are', () => {
    const all = [said('Hello?'), { role: 'assistant', parts: [{ type: 'tool_call', id: 'call_1', name: 'look', arguments: '{"where":"here"}' }] }];
    expect(boundedJson(all, 'last')).toEqual({ json: JSON.stringify(all), isCut: false });
  });

  test('of a prompt keep the last ones, and tell how many are missing', () => {
    const all = Array.from({ length: 100 }, (_, n) => said(`${n} ${'x'.repeat(500)}`));
    const { json, isCut } = boundedJson(all, 'last');
    const kept = parsed(json);
    expect(isCut).toBe(true);
    expect(kept.at(-1)).toEqual(all.at(-1));
    expect(kept[0]).toEqual({ role: 'system', parts: [{ type: 'cut', messages: 100 - (kept.length - 1) }] });
  });

  test('of an answer keep its beginning, and say of how much', () => {
    const { json, isCut } = boundedJson([{ ...said('ä'.repeat(50_000)), finish_reason: 'stop' }], 'first');
    const [message] = parsed(json);
    expect(isCut).toBe(true);
    expect(Buffer.byteLength(json)).toBeGreaterThan(MOST_BYTES - 200);
    expect(message?.parts[0]?.content).toMatch(/^ä+… \[cut of \d+ characters\]$/);
    expect(message?.finish_reason).toBe('stop');
  });

  test('have no secret that logs would not have either, wherever it stands and wherever they are cut', () => {
    const secret = 'sk-proj-0123456789abcdefghijklmnop';
    fc.assert(fc.property(fc.integer({ min: 0, max: 700 }), keep, fc.constantFrom('content', 'arguments', 'response'), (before, which, field) => {
      const { json } = boundedJson([{ role: 'user', parts: [{ type: 'text', [field]: `${'a '.repeat(before / 2)}${secret} ${'b '.repeat(2000)}` }] }], which, 600);
      expect(json).not.toContain('0123456789');
    }));
    expect(boundedJson([said('{"password":"hunter22222"}')], 'last').json).not.toContain('hunter2');
  });
});
