import { describe, expect, test } from '@jest/globals';
import { recordedEvents, recordedReply, recordedSse } from '@deja/testing';
import fc from 'fast-check';
import { CompletionAssembler } from '../../chat/completion-stream.ts';
import { asCompletion, type ChatCompletion } from '../../chat/completion.ts';
import { SSE_DONE, SseParser } from '../sse.ts';
import { serverOf } from './compatible-servers.ts';
import { replyUsage } from './usage.ts';

const named = (server: string) => serverOf({ kind: 'openai', baseUrl: 'https://x.example', server });

/** Reads a stream cut at these places, as it would come from the network. */
function assembled(sse: Buffer, cuts: number[] = []): { completion: ChatCompletion; kinds: string[]; done: boolean; finished: boolean } {
  const parser = new SseParser();
  const assembler = new CompletionAssembler();
  const points = [...new Set([0, ...cuts.map((cut) => cut % (sse.length + 1)), sse.length])].sort((a, b) => a - b);
  const data = points.slice(1).flatMap((end, i) => parser.push(sse.subarray(points[i], end)).map((event) => event.data));
  const kinds = data.filter((text) => text !== SSE_DONE).map((text) => assembler.add(JSON.parse(text)));
  return { completion: assembler.completion(), kinds, done: data.at(-1) === SSE_DONE, finished: assembler.finished };
}

const streamOf = (name: string): Buffer => recordedSse(`${name}.chunks.jsonl`, 'openai');

/** What an answer means to a client. */
function meaning(completion: ChatCompletion): Record<string, unknown> {
  const [choice] = completion.choices;
  const { content, tool_calls: calls, reasoning_content: reasoning } = choice!.message as { content?: string | null; tool_calls?: { function: unknown }[] | null; reasoning_content?: string };
  return { object: completion.object, model: completion.model, finish: choice!.finish_reason, text: Boolean(content), reasoning: Boolean(reasoning), calls: (calls ?? []).map((call) => call.function) };
}

const used = (promptTokens: number, completionTokens: number, reasoningTokens = 0, cachedTokens = 0) => ({ promptTokens, cachedTokens, cacheWriteTokens: 0, completionTokens, reasoningTokens });
const said = { object: 'chat.completion', finish: 'stop', text: true, reasoning: false, calls: [] };
const called = { ...said, finish: 'tool_calls', text: false };

describe('recorded chat completions go through as they are', () => {
  test.each([
    ['openai', 'openai/openai-text', { ...said, model: 'gpt-4.1-nano-2025-04-14' }, used(16, 363), used(16, 300)],
    ['groq', 'groq/groq-tool-call', { ...called, model: 'llama-3.3-70b-versatile', calls: [{ name: 'weather', arguments: '{}' }] }, used(218, 15), used(210, 15)],
    ['mistral', 'mistral/mistral-text', { ...said, model: 'mistral-small-latest' }, used(13, 434), used(13, 8)],
    ['mistral', 'mistral/mistral-tool-call', { ...called, model: 'mistral-small-latest', calls: [{ name: 'weather', arguments: '{"location": "San Francisco"}' }] }, used(124, 22), used(124, 22)],
    ['deepseek', 'deepseek/deepseek-reasoning', { ...said, model: 'deepseek-reasoner', reasoning: true }, used(18, 345, 315), used(18, 219, 205)],
    ['xai', 'openai-compatible/xai-text', { ...said, model: 'grok-3-mini', reasoning: true }, used(12, 322, 320, 2), used(12, 342, 340, 11)],
  ])('%s, %s: whole and streamed mean the same, and both are counted right', (server, name, expected, wholeUsage, streamUsage) => {
    const whole = asCompletion(recordedReply(`${name}.json`));
    const streamed = assembled(streamOf(name));
    expect(meaning(whole!)).toEqual(expected);
    expect(meaning(streamed.completion)).toEqual(expected);
    expect(streamed).toMatchObject({ done: true, finished: true });
    expect(streamed.kinds).not.toContain('error');
    expect(replyUsage(whole!, named(server))).toEqual(wholeUsage);
    expect(replyUsage(streamed.completion, named(server))).toEqual(streamUsage);
  });

  test('a whole answer without a recorded stream', () => {
    const whole = asCompletion(recordedReply('deepseek/deepseek-json.json'));
    expect(meaning(whole!)).toEqual({ ...said, model: 'deepseek-reasoner', reasoning: true });
    expect(JSON.parse(whole!.choices[0]!.message['content'] as string)).toEqual({ location: 'San Francisco', condition: 'cloudy', temperature: 7 });
    expect(replyUsage(whole!, named('deepseek'))).toEqual(used(495, 144, 118, 320));
  });

  test('Azure’s stream begins with a chunk that has no choices, names no model, and is no error', () => {
    const streamed = assembled(streamOf('openai/azure-model-router.1'));
    expect(streamed.kinds[0]).toBe('preamble');
    expect(meaning(streamed.completion)).toEqual({ ...said, model: 'gpt-5-nano-2025-08-07' });
    expect(streamed.completion.choices[0]!.message['content']).toBe('Capital of Denmark.');
    expect(replyUsage(streamed.completion, named('azure-openai'))).toEqual(used(15, 78, 64));
  });

  test('usage that comes with the last choice is not taken for a chunk of its own, so that the end of the answer is not held back', () => {
    for (const name of ['mistral/mistral-text', 'deepseek/deepseek-reasoning', 'groq/groq-tool-call']) expect(assembled(streamOf(name)).kinds.at(-1)).toBe('content');
    for (const name of ['openai/openai-text', 'openai-compatible/xai-text']) expect(assembled(streamOf(name)).kinds.at(-1)).toBe('usage');
  });

  test('a legacy completion keeps its text and its end, whole and streamed', () => {
    const whole = recordedReply('openai/openai-completion-text.json') as { choices: { text: string; finish_reason: string }[] };
    const streamed = assembled(streamOf('openai/openai-completion-text'));
    expect(whole.choices[0]).toMatchObject({ text: expect.stringContaining('Gratitude Day'), finish_reason: 'length' });
    expect(streamed.completion.choices[0]).toMatchObject({ text: expect.stringMatching(/^The holiday .* dedicated to$/s), finish_reason: 'length' });
    expect(replyUsage(whole as unknown as Record<string, unknown>, named('openai'))).toEqual(used(14, 16));
    expect(replyUsage(streamed.completion, named('openai'))).toEqual(used(14, 16));
  });

  test.each(['openai/azure-model-router.1', 'groq/groq-tool-call', 'mistral/mistral-text', 'openai/openai-completion-text', 'deepseek/deepseek-reasoning', 'openai-compatible/xai-text'])(
    '%s: wherever the network cuts the stream, the answer is the same',
    (name) => {
      const sse = streamOf(name);
      const uncut = assembled(sse);
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 40 }), (cuts) => {
          expect(assembled(sse, cuts)).toEqual(uncut);
        }),
        { numRuns: 25 },
      );
    },
  );
});

describe('what is no chat completion', () => {
  // Cohere's own v2 API is another dialect: only its compatibility endpoint may be configured as an OpenAI-compatible server.
  test('Cohere’s native v2 answer is not taken for one, whole or streamed', () => {
    expect(asCompletion(recordedReply('cohere/cohere-text.json'))).toBeNull();
    const assembler = new CompletionAssembler();
    expect(new Set(recordedEvents('cohere/cohere-text.chunks.jsonl').map((data) => assembler.add(JSON.parse(data))))).toEqual(new Set(['error']));
  });

  test.each(['azure/azure-text.1', 'azure/azure-tool-call.1', 'openai/openai-custom-tool.1', 'openai/openai-reasoning-encrypted-content.1'])('%s, an answer of the responses endpoint, is none either', (name) => {
    expect(asCompletion(recordedReply(`${name}.json`))).toBeNull();
    expect(new CompletionAssembler().add(JSON.parse(recordedEvents(`${name}.chunks.jsonl`)[0]!))).toBe('error');
  });
});
