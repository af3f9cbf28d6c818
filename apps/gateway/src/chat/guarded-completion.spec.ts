import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { AnswerRules } from '../guard/answer-rules.ts';
import type { ChatCompletion } from './completion.ts';
import { guardedCompletion } from './guarded-completion.ts';

const MAIL = ['ann', 'example.org'].join('@');
const GONE = '[redacted:email]';

function rules(action: 'redact' | 'flag'): AnswerRules {
  const none = noSafetyRules();
  return new AnswerRules(new Inspector({ ...none, answers: { ...none.answers, email: action } }), () => undefined, action !== 'flag');
}

const completion = (message: object, choice: object = {}): ChatCompletion => ({ id: MAIL, model: MAIL, choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: 'stop', ...choice }] });
const guardedMessage = (message: object): object => guardedCompletion(completion(message), rules('redact')).choices[0]!.message;

describe('content rules over a whole chat answer', () => {
  test.each<[string, object]>([
    ['the legacy function call', { function_call: { name: 'f', arguments: `{"to":"${MAIL}"}` } }],
    ['tool calls', { tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: `{"to":"${MAIL}"}` } }, { id: 'd', type: 'custom', custom: { name: 'g', input: MAIL } }] }],
    ['reasoning', { reasoning: MAIL, reasoning_details: [{ type: 'reasoning.text', text: MAIL }, { type: 'reasoning.summary', summary: MAIL }], thinking_blocks: [{ type: 'thinking', thinking: MAIL }] }],
    ['content in parts', { content: [{ type: 'thinking', thinking: [{ type: 'text', text: MAIL }] }, { type: 'text', text: MAIL }] }],
    ['a transcript of sound', { audio: { id: 'a', data: 'AAAA', transcript: MAIL } }],
    ['annotations', { annotations: [{ type: 'url_citation', url_citation: { title: MAIL, url: `https://x.test/${MAIL}` } }] }],
  ])('reach %s', (_, message) => {
    const expected = JSON.stringify(message).replaceAll(new RegExp(`(?<!x.test/)${MAIL}`, 'g'), GONE);
    expect(guardedMessage(message)).toEqual({ role: 'assistant', content: null, ...(JSON.parse(expected) as object) });
  });

  test('read the arguments of a tool call as the tool will', () => {
    const message = { tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: `{"to":"${MAIL.replace('@', '\\u0040')}", "n": 1.0}` } }] };
    expect(guardedMessage(message)).toMatchObject({ tool_calls: [{ function: { arguments: `{"to":"${GONE}", "n": 1.0}` } }] });
  });

  test('leave an answer in which they find nothing as it is', () => {
    const clean = completion({ content: 'Hello.' }, { logprobs: null });
    expect(guardedCompletion(clean, rules('redact'))).toBe(clean);
  });

  test('take log probabilities away, which repeat the text token by token, unless they only flag', () => {
    const told = completion({ content: 'Hello.' }, { logprobs: { content: [{ token: 'Hello', logprob: 0 }] } });
    expect(guardedCompletion(told, rules('redact')).choices[0]!['logprobs']).toBeNull();
    expect(guardedCompletion(told, rules('flag'))).toBe(told);
  });
});
