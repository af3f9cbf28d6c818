import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { Transcript } from '../attempt/transcript.ts';
import { MAX_HELD_WITH_ALL, MOST_CHOICES, MOST_HEAD_NAMES, MOST_INDEXED } from '../dialects/stream-bounds.ts';
import { AnswerRules } from '../guard/answer-rules.ts';
import { ChatReader } from './chat-reader.ts';
import { OpenAiChunks } from './chunk-source.ts';
import { CompletionAssembler } from './completion-stream.ts';
import { GuardedChunks } from './guarded-chunks.ts';

const MALFORMED = expect.objectContaining({ kind: 'malformed' });

/** A reader of a provider's stream, under rules that redact or under none. */
function reading(isGuarded: boolean): (json: string) => string {
  const rules = noSafetyRules();
  const source = new OpenAiChunks();
  const reader = new ChatReader(isGuarded ? new GuardedChunks(source, new AnswerRules(new Inspector({ ...rules, answers: { ...rules.answers, email: 'redact' } }), () => undefined)) : source, false, () => null, new Transcript(true));
  return (data) => reader.push({ event: null, data }).text;
}

describe('members of a provider’s stream that are named like an object’s own parts', () => {
  test.each([
    '{"choices":[{"index":0,"delta":{"__proto__":{"content":"planted without an end"}}}]}',
    '{"choices":[{"index":0,"delta":{"__proto__":{"__proto__":{"text":"planted"}}}}]}',
    '{"choices":[{"index":0,"delta":{"constructor":{"prototype":{"content":"planted"}}}}]}',
    '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"__proto__":{"arguments":"planted"}}]}}]}',
    '{"choices":[{"index":0,"__proto__":{"text":"planted"},"delta":{}}]}',
    '{"__proto__":{"text":"planted"},"choices":[{"index":0,"delta":{"content":"x"}}]}',
  ])('change no object of the gateway: %s', (chunk) => {
    const clean = Object.getOwnPropertyNames(Object.prototype);
    for (const isGuarded of [true, false]) {
      const push = reading(isGuarded);
      push(chunk);
      push(chunk);
      push('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
      push('[DONE]');
      expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(clean);
      expect(Reflect.get(Object, 'prototype')).toBe(Object.prototype);
    }
  });
});

describe('a provider’s stream without an end', () => {
  const choice = (fields: object): string => JSON.stringify({ choices: [{ index: 0, delta: {}, ...fields }] });

  test.each<[string, (n: number) => string, number]>([
    ['choices', (n) => choice({ index: n }), MOST_CHOICES],
    ['choices with texts', (n) => choice({ index: n, delta: { content: 'a' } }), MOST_CHOICES],
    ['tool calls', (n) => choice({ delta: { tool_calls: [{ index: n, function: { arguments: '' } }] } }), MOST_INDEXED],
    ['names beside its choices', (n) => JSON.stringify({ [`name ${n}`]: n + 1, choices: [] }), MOST_HEAD_NAMES],
  ])('of %s is broken, with rules for answers and without', (_, chunk, most) => {
    for (const isGuarded of [true, false]) {
      const push = reading(isGuarded);
      expect(() => {
        for (let n = 0; n <= most + 1; n++) push(chunk(n));
      }).toThrow(MALFORMED);
    }
  });

  test('of what is no text is not held beyond a bound, and still counted', () => {
    const assembler = new CompletionAssembler();
    const logprobs = { content: Array.from({ length: 1000 }, (_, i) => ({ token: 'x'.repeat(50), logprob: -i })) };
    for (let n = 0; n * JSON.stringify(logprobs).length <= MAX_HELD_WITH_ALL; n++) assembler.add({ choices: [{ index: 0, delta: { content: 'a' }, logprobs, finish_reason: null }] });
    expect(assembler.tooLong).toBe(true);
    expect(JSON.stringify(assembler.completion()).length).toBeLessThan(1000);
    expect(assembler.producedChars).toBeGreaterThan(100);
  });

  test('that is too long to be held still tells what it used', () => {
    const assembler = new CompletionAssembler();
    for (let n = 0; n < 5; n++) assembler.add({ choices: [{ index: 0, delta: { content: 'x'.repeat(300_000) } }] });
    assembler.add({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 }, x_groq: { usage: { total: 3 } } });
    expect(assembler.tooLong).toBe(true);
    expect(assembler.reported).toMatchObject({ usage: { completion_tokens: 2 }, x_groq: { usage: { total: 3 } } });
  });
});
