import { schemaProblems } from '@deja/testing';
import type { ChatBody } from '../../chat/chat-request.ts';
import type { ChatCompletion } from '../../chat/completion.ts';
import { gemini } from './gemini.ts';

const dialect = gemini(null);
const context = { upstreamModel: 'gemini-2.5-flash', stream: false, maxOutputTokens: null, createdS: 1_764_000_000 };
const body: ChatBody = { model: 'g', messages: [{ role: 'user', content: 'Hi' }] };

const candidate = (parts: object[], finishReason: string | null = 'STOP', fields: object = {}): object => ({
  content: { role: 'model', parts },
  ...(finishReason !== null && { finishReason }),
  ...fields,
});
const replied = (candidates: object[], fields: object = {}): ChatCompletion => {
  const completion = dialect.reply({ candidates, responseId: 'r/1', modelVersion: 'gemini-2.5-flash-001', ...fields }, body, context);
  expect(schemaProblems('CreateChatCompletionResponse', { usage: null, ...completion }).filter((problem) => !problem.startsWith('/usage'))).toEqual([]);
  return completion;
};
const only = (parts: object[], finishReason?: string, fields?: object): Record<string, unknown> => replied([candidate(parts, finishReason, fields)]).choices[0]!.message;

test.each([
  ['STOP', 'stop'], ['MAX_TOKENS', 'length'], ['SAFETY', 'content_filter'], ['RECITATION', 'content_filter'], ['BLOCKLIST', 'content_filter'], ['PROHIBITED_CONTENT', 'content_filter'],
  ['SPII', 'content_filter'], ['IMAGE_SAFETY', 'content_filter'], ['LANGUAGE', 'content_filter'],
])('%s is %s', (reason, finish) => {
  expect(replied([candidate([{ text: 'x' }], reason)]).choices[0]?.finish_reason).toBe(finish);
});

test('a candidate says which it is; what is no index is its place', () => {
  expect(replied([candidate([{ text: 'a' }], 'STOP', { index: 1 }), candidate([{ text: 'b' }], 'STOP', { index: 0 })]).choices.map(({ index }) => index)).toEqual([1, 0]);
  expect(replied([candidate([{ text: 'a' }], 'STOP', { index: 0.5 }), candidate([{ text: 'b' }], 'STOP', { index: '0' })]).choices.map(({ index }) => index)).toEqual([0, 1]);
});

test.each(['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'OTHER', 'NO_IMAGE', 'FINISH_REASON_UNSPECIFIED', 'constructor', null])(
  'a candidate that ends with %j is no answer: another attempt may give one',
  (reason) => {
    expect(() => dialect.reply({ candidates: [candidate([{ text: 'x' }], reason)] }, body, context)).toThrow(expect.objectContaining({ kind: 'malformed', retryable: true }));
  },
);

test('a blocked prompt is a choice that the filter ended, empty but for the refusal', () => {
  const completion = replied([], { candidates: undefined, promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 } });
  expect(completion.choices).toEqual([
    { index: 0, message: { role: 'assistant', content: '', refusal: 'The provider blocked the prompt: PROHIBITED_CONTENT.' }, logprobs: null, finish_reason: 'content_filter' },
  ]);
  expect(completion.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 });
});

test('thoughts are told apart from the answer', () => {
  expect(only([{ text: 'Hm.', thought: true }, { text: 'Yes', thoughtSignature: 'S' }, { text: '.' }])).toEqual({
    role: 'assistant', content: 'Yes.', refusal: null, reasoning_content: 'Hm.', extra_content: { google: { thought_signature: 'S' } },
  });
});

test('parallel calls have ids of their own, kept from Gemini where it gives some, and calls without arguments an empty object', () => {
  const calls = [{ functionCall: { name: 'a' }, thoughtSignature: 'S' }, { functionCall: { name: 'b', args: { x: 1 } } }, { functionCall: { id: 'own', name: 'c', args: {} } }];
  const completion = replied([candidate(calls)]);
  expect(completion.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
  expect(completion.choices[0]?.message['tool_calls']).toEqual([
    { id: 'call_r1_0_0', type: 'function', function: { name: 'a', arguments: '{}' }, extra_content: { google: { thought_signature: 'S' } } },
    { id: 'call_r1_0_1', type: 'function', function: { name: 'b', arguments: '{"x":1}' } },
    { id: 'own', type: 'function', function: { name: 'c', arguments: '{}' } },
  ]);
});

test('a client that allows no parallel calls gets the first call only', () => {
  const reply = { candidates: [candidate([{ functionCall: { name: 'a' } }, { functionCall: { name: 'b' } }])] };
  expect(dialect.reply(reply, { ...body, parallel_tool_calls: false }, context).choices[0]?.message['tool_calls']).toMatchObject([{ function: { name: 'a' } }]);
});

test('several candidates are several choices by index', () => {
  const completion = replied([candidate([{ text: 'a' }], 'STOP', { index: 1 }), candidate([{ functionCall: { name: 'f' } }], 'STOP', { index: 0 })]);
  expect(completion.choices.map(({ index, finish_reason: finish }) => [index, finish])).toEqual([[1, 'stop'], [0, 'tool_calls']]);
});

test('pictures come as data URLs, and parts that nobody knows are passed over', () => {
  const sound = { inlineData: { mimeType: 'audio/pcm', data: 'AA' } };
  const message = only([{ executableCode: { code: '1' } }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }, sound, { hologram: {} }]);
  expect(message).toEqual({ role: 'assistant', content: '', refusal: null, images: [{ index: 0, type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] });
});

test('log probabilities come token by token with their bytes', () => {
  const token = { token: 'é', logProbability: -0.5 };
  const logprobsResult = { chosenCandidates: [token], topCandidates: [{ candidates: [token, { token: 'e', logProbability: -1 }] }] };
  expect(replied([candidate([{ text: 'é' }], 'STOP', { logprobsResult })]).choices[0]?.['logprobs']).toEqual({
    refusal: null,
    content: [{ token: 'é', logprob: -0.5, bytes: [195, 169], top_logprobs: [{ token: 'é', logprob: -0.5, bytes: [195, 169] }, { token: 'e', logprob: -1, bytes: [101] }] }],
  });
});

test('what built-in tools brought in counts as prompt, thoughts as completion, and what the cache held is told', () => {
  const usageMetadata = { promptTokenCount: 10, toolUsePromptTokenCount: 3, cachedContentTokenCount: 4, candidatesTokenCount: 5, thoughtsTokenCount: 6, totalTokenCount: 24 };
  expect(replied([candidate([{ text: 'x' }])], { usageMetadata }).usage).toEqual({
    prompt_tokens: 13, completion_tokens: 11, total_tokens: 24, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 6 },
  });
  expect(replied([candidate([{ text: 'x' }])])).not.toHaveProperty('usage');
});

test('sounds and pictures among the tokens are told', () => {
  const usageMetadata = {
    promptTokenCount: 300, candidatesTokenCount: 20, promptTokensDetails: [{ modality: 'TEXT', tokenCount: 10 }, { modality: 'AUDIO', tokenCount: 32 }, { modality: 'IMAGE', tokenCount: 258 }], candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 20 }],
  };
  expect(replied([candidate([{ text: 'x' }])], { usageMetadata }).usage).toMatchObject({ prompt_tokens_details: { cached_tokens: 0, audio_tokens: 32, image_tokens: 258 }, completion_tokens_details: { reasoning_tokens: 0 } });
});

test('an answer cut before its first word is an empty one', () => {
  expect(only([], 'MAX_TOKENS')).toEqual({ role: 'assistant', content: '', refusal: null });
});

test.each([null, 'x', [], {}, { candidates: [] }, { promptFeedback: {} }, { error: { code: 500 } }])('%j is no reply', (reply) => {
  expect(() => dialect.reply(reply, body, context)).toThrow(expect.objectContaining({ kind: 'malformed' }));
});

test('a call sent back by a client that keeps its fields carries its signature and its name', () => {
  const message = only([{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'S' }]) as unknown as ChatBody['messages'][number];
  const [call] = message.tool_calls!;
  const history: ChatBody = { ...body, messages: [...body.messages, message, { role: 'tool', tool_call_id: String(call!['id']), content: '{}' }] };
  const sent = JSON.parse(dialect.request(history, { ...context, upstreamModel: 'gemini-3-pro-preview' }).body) as { contents: unknown[] };
  expect(sent.contents.slice(1)).toEqual([
    { role: 'model', parts: [{ functionCall: { id: 'call_r1_0_0', name: 'f', args: { a: 1 } }, thoughtSignature: 'S' }] },
    { role: 'user', parts: [{ functionResponse: { id: 'call_r1_0_0', name: 'f', response: {} } }] },
  ]);
});
