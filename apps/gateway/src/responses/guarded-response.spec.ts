import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { AnswerRules } from '../guard/answer-rules.ts';
import { guardedResponse } from './guarded-response.ts';
import type { OutputItem, ResponseObject } from './response-object.ts';

const MAIL = ['ann', 'example.org'].join('@');
const GONE = '[redacted:email]';
const none = noSafetyRules();
const rules = new AnswerRules(new Inspector({ ...none, answers: { ...none.answers, email: 'redact' } }), () => undefined);
const response = (output: OutputItem[], more: object = {}): ResponseObject => ({ id: 'resp_1', object: 'response', created_at: 1, model: 'm', status: 'completed', output, ...more });

describe('content rules over a response', () => {
  test.each<OutputItem>([
    { type: 'function_call', id: 'x', name: 'f', arguments: `{"to":"${MAIL}"}` },
    { type: 'custom_tool_call', name: 'f', input: MAIL },
    { type: 'code_interpreter_call', code: `mail("${MAIL}")`, container_id: 'c', outputs: [{ type: 'logs', logs: MAIL }] },
    { type: 'file_search_call', queries: [MAIL], results: [{ file_id: 'f', filename: 'a.txt', text: MAIL, attributes: { id: MAIL } }] },
    { type: 'web_search_call', action: { type: 'search', query: MAIL } },
    { type: 'mcp_call', arguments: '{}', output: MAIL, error: null },
    { type: 'reasoning', summary: [{ type: 'summary_text', text: MAIL }], content: [{ type: 'reasoning_text', text: MAIL }] },
    { type: 'message', content: [{ type: 'refusal', refusal: MAIL }] },
  ])('reach every text of an item: %j', (item) => {
    const expected = JSON.parse(JSON.stringify(item).replaceAll(MAIL, GONE)) as unknown;
    expect(guardedResponse(response([item]), rules).output).toEqual([expected]);
  });

  test('leave ids, pictures and what the client sent alone, and an answer without a finding as it is', () => {
    const clean = response([{ type: 'image_generation_call', id: MAIL, result: MAIL }, { type: 'message', content: [{ type: 'output_text', text: 'Hi.', annotations: [], logprobs: [] }] }], { instructions: MAIL });
    expect(guardedResponse(clean, rules)).toBe(clean);
  });

  test('take away what repeats the text token by token, and, where the text changed, what points into it', () => {
    const part = (text: string): object => ({ type: 'output_text', text, logprobs: [{ token: 'a' }], annotations: [{ type: 'url_citation', title: MAIL, url: 'u', start_index: 9 }] });
    const treated = guardedResponse(response([{ type: 'message', content: [part('Hi.'), part(MAIL)] }], { output_text: `Hi. ${MAIL}` }), rules);
    expect(treated.output[0]!['content']).toEqual([
      { type: 'output_text', text: 'Hi.', logprobs: [], annotations: [{ type: 'url_citation', title: GONE, url: 'u', start_index: 9 }] },
      { type: 'output_text', text: GONE, logprobs: [], annotations: [] },
    ]);
    expect(treated['output_text']).toBe(`Hi. ${GONE}`);
  });
});
