import { schemaProblems } from '@deja/testing';
import { CompletionAssembler } from '../../chat/completion-stream.ts';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatChunk } from '../dialect.ts';
import { gemini } from './gemini.ts';

const context = { upstreamModel: 'gemini-2.5-flash', stream: true, maxOutputTokens: null, createdS: 1_764_000_000 };
const body: ChatBody = { model: 'g', messages: [{ role: 'user', content: 'Hi' }], stream: true };

const candidate = (parts: object[], fields: object = {}): object => ({ content: { role: 'model', parts }, ...fields });

function chunksOf(events: object[], fields: Partial<ChatBody> = {}): ChatChunk[] {
  const stream = gemini(null).stream({ ...body, ...fields }, context);
  const chunks = [...events.flatMap((event) => stream.push({ event: null, data: JSON.stringify({ responseId: 'r', ...event }) })), ...stream.finish()];
  expect(chunks.flatMap((chunk) => schemaProblems('CreateChatCompletionStreamResponse', chunk))).toEqual([]);
  return chunks;
}

function assembled(chunks: ChatChunk[]): CompletionAssembler {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(chunk);
  return assembler;
}

test('every candidate begins with its role, and ends with its own reason; the usage is the last there was', () => {
  const chunks = chunksOf([
    { candidates: [candidate([{ text: 'a' }], { index: 0 }), candidate([{ text: 'x' }], { index: 1 })], usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 } },
    { candidates: [candidate([{ text: 'y' }], { index: 1, finishReason: 'MAX_TOKENS' })] },
    { candidates: [candidate([{ text: 'b' }], { index: 0, finishReason: 'STOP' })], usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 4 } },
  ]);
  expect(chunks.slice(0, 2).map(({ choices }) => choices)).toEqual([
    [{ index: 0, delta: { role: 'assistant', content: 'a' }, finish_reason: null }],
    [{ index: 1, delta: { role: 'assistant', content: 'x' }, finish_reason: null }],
  ]);
  expect(chunks.at(-1)).toMatchObject({ id: 'chatcmpl-r', choices: [], usage: { prompt_tokens: 1, completion_tokens: 4, total_tokens: 5 } });
  expect(assembled(chunks).completion().choices).toEqual([
    { index: 0, message: { role: 'assistant', content: 'ab' }, finish_reason: 'stop' },
    { index: 1, message: { role: 'assistant', content: 'xy' }, finish_reason: 'length' },
  ]);
});

test('calls of several events are counted on, and the reason is tool_calls though it comes later', () => {
  const chunks = chunksOf([
    { candidates: [candidate([{ text: 'Hm', thought: true }])] },
    { candidates: [candidate([{ functionCall: { name: 'a', args: { x: 1 } }, thoughtSignature: 'S' }])] },
    { candidates: [candidate([{ functionCall: { name: 'b' } }])] },
    { candidates: [candidate([{ text: '' }], { finishReason: 'STOP' })] },
  ]);
  expect(assembled(chunks).completion().choices).toEqual([
    {
      index: 0,
      finish_reason: 'tool_calls',
      message: {
        role: 'assistant', content: null, reasoning_content: 'Hm',
        tool_calls: [
          { id: 'call_r_0_0', type: 'function', function: { name: 'a', arguments: '{"x":1}' }, extra_content: { google: { thought_signature: 'S' } } },
          { id: 'call_r_0_1', type: 'function', function: { name: 'b', arguments: '{}' } },
        ],
      },
    },
  ]);
});

test('a client that allows no parallel calls gets the first call only, though the second comes in an event of its own', () => {
  const events = [{ candidates: [candidate([{ functionCall: { name: 'a' } }])] }, { candidates: [candidate([{ functionCall: { name: 'b' } }], { finishReason: 'STOP' })] }];
  expect(assembled(chunksOf(events, { parallel_tool_calls: false })).completion().choices[0]?.message['tool_calls']).toMatchObject([{ function: { name: 'a' } }]);
});

test('log probabilities and pictures of all events come together', () => {
  const logprobsResult = { chosenCandidates: [{ token: 'a', logProbability: -1 }] };
  const picture = { inlineData: { mimeType: 'image/png', data: 'AA' } };
  const events = [{ candidates: [candidate([{ text: 'a' }, picture], { logprobsResult })] }, { candidates: [candidate([{ text: 'a' }, picture], { logprobsResult, finishReason: 'STOP' })] }];
  const [choice] = assembled(chunksOf(events)).completion().choices;
  expect(choice?.['logprobs']).toMatchObject({ content: [{ token: 'a' }, { token: 'a' }] });
  expect(choice?.message['images']).toMatchObject([{ index: 0 }, { index: 1 }]);
});

test('a blocked prompt ends with content_filter and says so', () => {
  const chunks = chunksOf([{ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 3 } }]);
  expect(assembled(chunks).completion()).toMatchObject({
    choices: [{ index: 0, finish_reason: 'content_filter', message: { content: '', refusal: 'The provider blocked the prompt: SAFETY.' } }], usage: { prompt_tokens: 3, completion_tokens: 0 },
  });
});

test.each([
  [[]],
  [[{ usageMetadata: { promptTokenCount: 1 } }]],
  [[{ candidates: [candidate([{ text: 'a' }])] }]],
  [[{ candidates: [candidate([{ text: 'a' }], { index: 0, finishReason: 'STOP' }), candidate([{ text: 'b' }], { index: 1 })] }]],
])('a connection that ends after %j has not brought the whole answer', (events) => {
  expect(() => chunksOf(events)).toThrow(expect.objectContaining({ kind: 'network' }));
});

test.each([
  ['{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}', 'rate'],
  ['[{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]', 'overloaded'],
  ['{"error":{"message":"x"}}', 'overloaded'],
  ['{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}', 'malformed'],
  ['{"choices":[]}', 'malformed'],
  ['[DONE]', 'malformed'],
])('the event %s is a failure: %s', (data, kind) => {
  expect(() => gemini(null).stream(body, context).push({ event: null, data })).toThrow(expect.objectContaining({ kind }));
});
