import { schemaProblems, type SchemaName } from './openai-schemas.ts';
import { recordedEvents, recordedReply } from './recordings.ts';

const everyEvent = (schema: SchemaName, recording: string): string[] => [
  ...new Set(recordedEvents(recording).filter((data) => data.startsWith('{')).flatMap((data) => schemaProblems(schema, JSON.parse(data)))),
];

const withoutParams = (problems: string[]): string[] => [...new Set(problems.map((each) => each.replace(/ \{.*/, '')))].sort();

test.each<[SchemaName, string]>([
  ['CreateChatCompletionResponse', 'openai/openai-text.json'],
  ['CreateCompletionResponse', 'openai/openai-completion-text.json'],
  ['CreateEmbeddingResponse', 'openai/openai-embedding.json'],
  ['ImagesResponse', 'openai/openai-image.json'],
  ['ErrorResponse', 'openai/openai-error.1.json'],
  ['ErrorResponse', 'openai/reasoning-model-legacy-parameter-error.json'],
])('OpenAI’s own %s is valid: %s', (schema, recording) => {
  expect(schemaProblems(schema, recordedReply(recording))).toEqual([]);
});

test.each(['openai/openai-text.chunks.jsonl', 'groq/groq-tool-call.chunks.jsonl', 'mistral/mistral-text.chunks.jsonl', 'deepseek/deepseek-reasoning.chunks.jsonl'])(
  'every chunk of a streamed chat completion is valid: %s',
  (recording) => {
    expect(everyEvent('CreateChatCompletionStreamResponse', recording)).toEqual([]);
  },
);

/** Where real servers leave the description; a client must bear it, deja's own replies must not do it. */
test.each<[SchemaName, string, string[]]>([
  ['CreateChatCompletionResponse', 'deepseek/deepseek-json.json', ["/choices/0/message must have required property 'refusal'"]],
  [
    'CreateChatCompletionResponse',
    'groq/groq-tool-call.json',
    ["/choices/0/message must have required property 'content'", "/choices/0/message must have required property 'refusal'", '/service_tier must be equal to one of the allowed values'],
  ],
  [
    'CreateChatCompletionResponse',
    'mistral/mistral-text.json',
    ["/choices/0 must have required property 'logprobs'", "/choices/0/message must have required property 'refusal'", '/choices/0/message/tool_calls must be array'],
  ],
  ['CreateChatCompletionResponse', 'openai-compatible/xai-text.json', ["/choices/0 must have required property 'logprobs'"]],
  ['Response', 'azure/azure-text.1.json', ["/usage/input_tokens_details must have required property 'cache_write_tokens'", '/user must be string']],
  ['Response', 'azure/azure-tool-call.1.json', ["/usage/input_tokens_details must have required property 'cache_write_tokens'", '/user must be string']],
  ['Response', 'openai/openai-custom-tool.1.json', ["/usage/input_tokens_details must have required property 'cache_write_tokens'", '/user must be string']],
  ['Response', 'openai/openai-reasoning-encrypted-content.1.json', ["/usage/input_tokens_details must have required property 'cache_write_tokens'", '/user must be string']],
])('a real %s that is not quite valid is told so, and why: %s', (schema, recording, complaints) => {
  expect(withoutParams(schemaProblems(schema, recordedReply(recording)))).toEqual(complaints);
});

test('OpenAI’s own response events differ from the description in known ways only', () => {
  const problems = ['azure/azure-text.1.chunks.jsonl', 'azure/azure-tool-call.1.chunks.jsonl', 'openai/openai-reasoning-encrypted-content.1.chunks.jsonl', 'openai/openai-custom-tool.1.chunks.jsonl'].flatMap(
    (recording) => everyEvent('ResponseStreamEvent', recording),
  );
  expect(withoutParams(problems)).toEqual([
    "(whole) must have required property 'name'",
    "(whole) must have required property 'sequence_number'",
    '/response/usage must be object',
    "/response/usage/input_tokens_details must have required property 'cache_write_tokens'",
    '/response/user must be string',
  ]);
});

test('of several kinds of event, only what is wrong with this kind is told', () => {
  expect(schemaProblems('ResponseStreamEvent', { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: 1, sequence_number: 4, logprobs: [] })).toEqual([
    '/delta must be string {"type":"string"}',
  ]);
});

test('an event of no known type is no event', () => {
  expect(schemaProblems('ResponseStreamEvent', { type: 'response.dreamt' })).toEqual([expect.stringContaining('/type must be equal to one of the allowed values')]);
});
