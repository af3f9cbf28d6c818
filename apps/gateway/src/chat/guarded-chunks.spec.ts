import { describe, expect, test } from '@jest/globals';
import { Inspector, noSafetyRules } from '@deja/content-safety';
import fc from 'fast-check';
import { Transcript } from '../attempt/transcript.ts';
import { AnswerRules } from '../guard/answer-rules.ts';
import { ChatReader } from './chat-reader.ts';
import { OpenAiChunks } from './chunk-source.ts';
import { GuardedChunks } from './guarded-chunks.ts';

const MAIL = ['ann', 'example.org'].join('@');
const chunk = (delta: object, finish: string | null = null) => ({ event: null, data: JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }], usage: null }) });
const DONE = { event: null, data: '[DONE]' };

function guarded(action: 'redact' | 'flag' | 'block', pieces: string[]): { text: string; flags: string[]; said: string } {
  const rules = noSafetyRules();
  const flags: string[] = [];
  const inspector = new Inspector({ ...rules, answers: { ...rules.answers, email: action } });
  const reader = new ChatReader(new GuardedChunks(new OpenAiChunks(), new AnswerRules(inspector, (rule) => flags.push(rule))), false, () => null, new Transcript(true));
  const events = [chunk({ role: 'assistant', content: '' }), ...pieces.map((content) => chunk({ content })), chunk({}, 'stop'), DONE];
  const text = events.map((event) => reader.push(event).text).join('');
  return { text, flags, said: reader.takeText() };
}

describe('content rules over a streamed chat answer', () => {
  test('what is to be redacted never leaves, wherever the chunks are cut, and nothing else is lost', () => {
    const whole = `Write to ${MAIL}. She answers soon! Or so they say.`;
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const points = [...new Set([0, ...cuts, whole.length])].sort((a, b) => a - b);
        const { text, said, flags } = guarded('redact', points.slice(1).map((to, i) => whole.slice(points[i], to)));
        expect(text).not.toContain(MAIL);
        expect(said).toBe(whole.replace(MAIL, '[redacted:email]'));
        expect(flags).toEqual(['email']);
      }),
    );
  });

  test('what is only flagged passes', () => {
    expect(guarded('flag', [`It is ${MAIL}.`])).toMatchObject({ said: `It is ${MAIL}.`, flags: ['email'] });
  });

  test('what is blocked ends the stream with the rule’s name', () => {
    expect(() => guarded('block', [`It is ${MAIL}. `, 'More.'])).toThrow(expect.objectContaining({ kind: 'blocked', rule: 'email' }));
  });
});

describe('a stream under content rules that is not as OpenAI would send it', () => {
  interface Sent {
    id: string;
    model: string;
    created: number;
    choices: { index: number; delta: { content?: string }; finish_reason: string | null; logprobs?: unknown }[];
  }

  function redacting(): GuardedChunks {
    const rules = noSafetyRules();
    return new GuardedChunks(new OpenAiChunks(), new AnswerRules(new Inspector({ ...rules, answers: { ...rules.answers, email: 'redact' } }), () => undefined));
  }

  /** What a client gets of these choices, each in a chunk of its own, before [DONE]. */
  function sent(choices: object[]): Sent[] {
    const source = redacting();
    const events = [...choices.map((choice) => ({ event: null, data: JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 7, model: 'm', choices: [choice] }) })), DONE];
    return events.flatMap((event) => source.push(event)).map(({ text }) => JSON.parse(text) as Sent);
  }
  const saidBy = (chunks: Sent[], index: number): string => chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index).map(({ delta }) => delta.content ?? '')).join('');

  test('loses nothing where no choice says why it ended, whatever its index', () => {
    for (const index of [0, 5, -1]) {
      const chunks = sent([{ index, delta: { content: 'To ' } }, { index, delta: { content: MAIL } }]);
      expect(saidBy(chunks, index)).toBe('To [redacted:email]');
      expect(chunks.at(-1)).toMatchObject({ id: 'c', created: 7, model: 'm', choices: [{ index, finish_reason: null }] });
    }
  });

  test('loses nothing of a choice that goes on after its end, or of one that has none', () => {
    const chunks = sent([{ index: 0, delta: { content: 'One' }, finish_reason: 'stop' }, { index: 1, delta: { content: `Two ${MAIL}` } }, { index: 0, delta: { content: ' more' } }]);
    expect([saidBy(chunks, 0), saidBy(chunks, 1)]).toEqual(['One more', 'Two [redacted:email]']);
  });

  test('a delta that is no object, and an index that is no number, are refused', () => {
    for (const choice of [{ index: 0, delta: 'f' }, { index: 0, delta: ['f'] }, { index: '0', delta: { content: 'f' } }]) expect(() => sent([choice])).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  test.each<[string, (piece: string) => object]>([
    ['reasoning', (reasoning) => ({ reasoning })],
    ['the legacy function call', (piece) => ({ function_call: { arguments: piece } })],
    ['a tool call', (piece) => ({ tool_calls: [{ index: 2, type: 'function', function: { arguments: piece } }] })],
    ['a transcript of sound', (transcript) => ({ audio: { transcript } })],
    ['details of reasoning', (text) => ({ reasoning_details: [{ type: 'reasoning.text', index: 1, text }] })],
    ['content in parts', (text) => ({ content: [{ type: 'text', text }] })],
    ['thoughts in parts', (text) => ({ content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] })],
  ])('is treated in %s too, wherever it is cut', (_, delta) => {
    const text = JSON.stringify(sent(['It is ', MAIL.slice(0, 5), MAIL.slice(5)].map((piece) => ({ index: 0, delta: delta(piece) }))));
    expect(text).not.toContain(MAIL.slice(0, 5));
    const reader = new ChatReader(redacting(), false, () => null, new Transcript(false));
    for (const piece of ['It is ', MAIL.slice(0, 5), MAIL.slice(5)]) reader.push(chunk(delta(piece) as Record<string, unknown>));
    reader.push(chunk({}, 'stop'));
    const last = JSON.stringify((JSON.parse(reader.kept()!.body.toString()) as { choices: object[] }).choices);
    expect(last).toContain('[redacted:email]');
    expect(last).not.toContain(MAIL.slice(0, 5));
  });

  test('tells no log probabilities, and what comes whole is treated whole', () => {
    const [first] = sent([{ index: 0, delta: { annotations: [{ type: 'url_citation', url_citation: { title: MAIL } }] }, logprobs: { content: [{ token: 'ann' }] } }]);
    expect(first!.choices[0]).toMatchObject({ logprobs: null, delta: { annotations: [{ url_citation: { title: '[redacted:email]' } }] } });
  });
});

describe('a chat stream', () => {
  const read = (includeUsage: boolean) => new ChatReader(new OpenAiChunks(), includeUsage, () => null, new Transcript(false));

  test('shows no usage to a client that did not ask: no null, no last chunk, none beside a finish reason; every other byte stays', () => {
    const reader = read(false);
    expect(reader.push({ event: null, data: '{"id":"c", "n":12345678901234567890,"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}' }).text).toBe('data: {"id":"c", "n":12345678901234567890,"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n');
    expect(reader.push({ event: null, data: '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}' }).text).toBe('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n');
    expect(reader.push({ event: null, data: '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}' }).text).toBe('');
  });

  test('an answer too long to be kept is counted to the end, and not held', () => {
    const reader = read(false);
    for (let i = 0; i < 40; i++) reader.push(chunk({ content: 'x'.repeat(64 * 1024) }));
    reader.push(chunk({}, 'stop'));
    reader.push(DONE);
    expect(reader.producedChars).toBe(40 * 64 * 1024);
    expect(reader.kept()).toMatchObject({ storable: false });
    expect(reader.kept()!.body.length).toBeLessThan(1024);
  });

  test('an error event says what the provider said, and whether it was the rate', () => {
    expect(() => read(false).push({ event: null, data: '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}' })).toThrow(expect.objectContaining({ kind: 'rate', providerError: expect.objectContaining({ message: 'slow down' }) }));
    expect(() => read(false).push({ event: null, data: '{"choices":[{"index":0,"finish_reason":"error"}],"error":{"message":"broken","code":502}}' })).toThrow(expect.objectContaining({ kind: 'overloaded' }));
  });
});
