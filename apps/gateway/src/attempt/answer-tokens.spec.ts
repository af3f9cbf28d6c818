import { describe, expect, test } from '@jest/globals';
import { countTokens, tokenizerFor } from '@deja/tokens';
import fc from 'fast-check';
import { asCompletion, type ChatCompletion } from '../chat/completion.ts';
import { CompletionAssembler } from '../chat/completion-stream.ts';
import { saidInCompletion } from '../chat/said.ts';
import { ResponseReader } from '../responses/response-stream.ts';
import { saidInOutput } from '../responses/said.ts';
import { answerTokens } from './answer-tokens.ts';

const MODEL = 'gpt-4o';
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.lorem({ maxCount: 30 }));
const pieces = fc.array(text, { maxLength: 6 });
const counted = async (...texts: string[]): Promise<number> => {
  const counts = await Promise.all(texts.map((each) => countTokens({ texts: [each], messages: 0, images: [], tools: 0 }, tokenizerFor(MODEL))));
  return counts.reduce((sum, each) => sum + each, 0);
};
const ofChat = (message: Record<string, unknown>, more: object = {}): Promise<number> => answerTokens({ texts: saidInCompletion({ choices: [{ index: 0, message, finish_reason: 'stop', ...more }] }), otherChars: 0 }, MODEL);
/** JSON that says nothing: what servers put around an answer. */
const around = fc.record({ annotations: fc.array(fc.record({ type: fc.constant('url_citation') })), logprobs: fc.constant({ content: [{ token: 'x', bytes: [1] }] }), provider_specific_fields: fc.jsonValue() });

describe('the tokens of an answer without usage', () => {
  test('are those of its text, whatever JSON is around it', async () => {
    expect(await ofChat({ content: 'hi' })).toBe(await counted('hi'));
    await fc.assert(
      fc.asyncProperty(text, around, async (said, more) => {
        const expected = await counted(said);
        expect(await ofChat({ role: 'assistant', content: said, ...more }, more)).toBe(expected);
        expect(await ofChat({ role: 'assistant', content: [{ type: 'text', text: said, ...more }] })).toBe(expected);
        expect(await answerTokens({ texts: saidInOutput([{ type: 'message', id: 'msg_1', status: 'completed', content: [{ type: 'output_text', text: said, ...more }] }]), otherChars: 0 }, MODEL)).toBe(expected);
      }),
    );
  });

  test('are those of everything it says: refusal, reasoning, names and arguments of calls', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'look_up', arguments: '{"city":"Paris"}' } };
    const custom = { id: 'call_2', type: 'custom', custom: { name: 'sql', input: 'SELECT 1' } };
    expect(saidInCompletion({ choices: [{ index: 0, finish_reason: 'stop', message: { content: 'A', refusal: 'No.', reasoning_content: 'Hm.', reasoning: 'Hm.', audio: { id: 'audio_1', data: 'UklGRg==', transcript: 'Spoken.' }, tool_calls: [call, custom] } }] })).toEqual([
      'A', 'No.', 'Hm.', 'Spoken.', 'look_up', '{"city":"Paris"}', 'sql', 'SELECT 1',
    ]);
    const reasoning = { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'In short.' }], encrypted_content: 'gAAAA' };
    expect(saidInOutput([reasoning, { ...reasoning, content: [{ type: 'reasoning_text', text: 'At length.' }] }, { type: 'function_call', name: 'f', arguments: '{}', call_id: 'c' }, { type: 'web_search_call', action: { query: 'x' } }])).toEqual(['In short.', 'At length.', 'f', '{}']);
  });

  test('are the same for a chat that came in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, pieces, pieces, async (content, thoughts, args) => {
        const assembler = new CompletionAssembler();
        const add = (delta: object): unknown => assembler.add({ id: 'c', choices: [{ index: 0, delta, logprobs: null }] });
        add({ role: 'assistant', content: '' });
        for (const piece of thoughts) add({ reasoning_content: piece });
        for (const piece of content) add({ content: piece });
        add({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '' } }] });
        for (const piece of args) add({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
        expect(await answerTokens(assembler.said(), MODEL)).toBe(await counted(content.join(''), thoughts.join(''), 'f', args.join('')));
      }),
    );
  });

  test('are the same for a response that came in pieces, whether it broke off or not', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, pieces, async (content, args) => {
        const reader = new ResponseReader();
        const message = { type: 'message', id: 'msg_1', content: [{ type: 'output_text', text: content.join('') }] };
        const call = { type: 'function_call', id: 'fc_1', name: 'f', arguments: args.join('') };
        reader.push({ type: 'response.output_item.added', output_index: 0, item: { ...message, content: [] } });
        for (const delta of content) reader.push({ type: 'response.output_text.delta', output_index: 0, content_index: 0, delta, obfuscation: 'x8sd9' });
        reader.push({ type: 'response.output_item.done', output_index: 0, item: message });
        reader.push({ type: 'response.output_item.added', output_index: 1, item: { ...call, arguments: '' } });
        for (const delta of args) reader.push({ type: 'response.function_call_arguments.delta', output_index: 1, delta });
        const expected = await counted(content.join(''), 'f', args.join(''));
        expect(await answerTokens(reader.said(), MODEL)).toBe(expected);
        reader.push({ type: 'response.output_item.done', output_index: 1, item: call });
        expect(await answerTokens(reader.said(), MODEL)).toBe(expected);
        reader.push({ type: 'response.completed', response: { id: 'resp_1', object: 'response', status: 'completed', model: 'm', output: [message, call] } });
        expect(await answerTokens(reader.said(), MODEL)).toBe(expected);
      }),
    );
  });

  test('are never less than none, whatever a provider sends as an answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (content, calls) => {
        const completion = asCompletion({ choices: [{ message: { content, tool_calls: calls, reasoning: content, audio: calls, function_call: content } }] }) as ChatCompletion | null;
        const texts = completion === null ? [] : saidInCompletion(completion);
        expect(await answerTokens({ texts, otherChars: 0 }, MODEL)).toBeGreaterThanOrEqual(0);
        expect(saidInOutput([{ type: 'message', content }, { type: 'reasoning', content, summary: calls }, { type: 'function_call', name: content, arguments: calls }]).every((each) => typeof each === 'string')).toBe(true);
      }),
    );
  });

  test('of what is not held are a quarter of its characters', async () => {
    expect(await answerTokens({ texts: ['hi', ''], otherChars: 9 }, MODEL)).toBe((await counted('hi')) + 3);
    expect(await answerTokens({ texts: [''], otherChars: 0 }, MODEL)).toBe(0);
  });
});
