import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import { Transcript } from '../attempt/transcript.ts';
import { AnswerRules } from '../guard/answer-rules.ts';
import { TextReader } from './text-reader.ts';

const MAIL = ['ann', 'example.org'].join('@');
const none = noSafetyRules();
const rules = new AnswerRules(new Inspector({ ...none, answers: { ...none.answers, email: 'redact' } }), () => undefined);
const event = (choice: object): string => JSON.stringify({ id: 'c', object: 'text_completion', created: 1, model: 'm', choices: [choice] });

function read(events: string[], under: AnswerRules | null = rules): { sent: string; kept: unknown; said: string } {
  const reader = new TextReader(false, () => null, under, new Transcript(true));
  const sent = [...events, '[DONE]'].map((data) => reader.push({ event: null, data }).text).join('');
  return { sent, kept: JSON.parse(reader.kept()!.body.toString()) as unknown, said: reader.takeText() };
}

describe('a stream of a legacy completion under content rules', () => {
  test('loses nothing where a choice never says why it ended, or goes on after its end', () => {
    const { sent, kept, said } = read([event({ index: 0, text: 'To ', finish_reason: null }), event({ index: 0, text: MAIL }), event({ index: 3, text: 'One', finish_reason: 'stop' }), event({ index: 3, text: ' more' })]);
    const choices = sent.trim().split('\n\n').flatMap((line) => (JSON.parse(line.slice('data: '.length)) as { id: string; choices: { index: number; text: string }[] }).choices);
    const saidBy = (index: number): string => choices.filter((choice) => choice.index === index).map(({ text }) => text).join('');
    expect([saidBy(0), saidBy(3)]).toEqual(['To [redacted:email]', 'One more']);
    expect(kept).toMatchObject({ id: 'c', choices: [{ index: 0, text: 'To [redacted:email]' }, { index: 3, text: 'One more', finish_reason: 'stop' }] });
    expect(said).toContain('[redacted:email]');
  });

  test('tells no log probabilities', () => {
    const { sent, kept } = read([event({ index: 0, text: 'Hello.', logprobs: { tokens: ['Hel', 'lo.'] }, finish_reason: 'stop' })]);
    expect(sent).not.toContain('Hel"');
    expect(kept).toMatchObject({ choices: [{ logprobs: null }] });
  });
});

test('a stream of a legacy completion stays byte for byte where no rule looks at answers', () => {
  const data = '{"id":"c", "n":12345678901234567890,"choices":[{"index":0,"text":"x","logprobs":{"tokens":["x"]}}]}';
  expect(read([data], null).sent).toBe(`data: ${data}\n\n`);
});
