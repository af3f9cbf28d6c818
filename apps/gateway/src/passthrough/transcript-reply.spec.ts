import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { AnswerRules } from '../guard/answer-rules.ts';
import { guardedTranscript } from './transcript-reply.ts';

const MAIL = ['ann', 'example.org'].join('@');
const GONE = '[redacted:email]';

function treated(contentType: string, body: string, action: 'redact' | 'block' = 'redact'): string {
  const rules = noSafetyRules();
  return guardedTranscript(Buffer.from(body), contentType, new AnswerRules(new Inspector({ ...rules, answers: { ...rules.answers, email: action } }), () => undefined)).toString();
}

describe('what was heard in a recording', () => {
  test('is treated as JSON, and what repeats the text in pieces goes with what was taken out', () => {
    const said = { text: `Write ${MAIL}.`, words: [{ word: 'ann@' }, { word: 'example.org' }], segments: [{ text: `Write ${MAIL}.` }], logprobs: [{ token: 'ann' }], usage: { seconds: 2 } };
    expect(JSON.parse(treated('application/json', JSON.stringify(said)))).toEqual({ text: `Write ${GONE}.`, words: [], segments: [], logprobs: null, usage: { seconds: 2 } });
  });

  test('stays byte for byte where nothing is found', () => {
    const said = '{"text" : "Hello.", "words":[{"word":"Hello"}], "duration": 1.0}';
    expect(treated('application/json; charset=utf-8', said)).toBe(said);
    expect(treated('text/plain', 'Hello.\n')).toBe('Hello.\n');
  });

  test('is treated as text and as subtitles', () => {
    for (const type of ['text/plain; charset=utf-8', 'text/vtt', 'application/x-subrip', '']) expect(treated(type, `1\n00:00 --> 00:02\n${MAIL}\n`)).toBe(`1\n00:00 --> 00:02\n${GONE}\n`);
  });

  test('in events comes as the last one, which says all, and without what was said before', () => {
    const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
    const deltas = [MAIL.slice(0, 5), MAIL.slice(5)].map((delta) => event({ type: 'transcript.text.delta', delta })).join('');
    expect(treated('text/event-stream', `${deltas}${event({ type: 'transcript.text.done', text: MAIL })}data: [DONE]\n\n`)).toBe(event({ type: 'transcript.text.done', text: GONE }));
    expect(() => treated('text/event-stream', deltas)).toThrow(expect.objectContaining({ kind: 'malformed' }));
    expect(() => treated('text/event-stream', event({ type: 'error', error: { message: 'broken' } }))).toThrow(expect.objectContaining({ kind: 'overloaded' }));
  });

  test('is not sent at all where a rule blocks', () => {
    expect(() => treated('text/plain', MAIL, 'block')).toThrow(expect.objectContaining({ kind: 'blocked', rule: 'email' }));
  });
});
