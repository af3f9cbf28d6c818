import { droppedParams, refusedParam } from '../params.ts';
import { geminiParams } from './params.ts';

/** `CreateChatCompletionRequest` in OpenAI's API description. */
const OPENAI_PARAMS = [
  'audio', 'frequency_penalty', 'function_call', 'functions', 'logit_bias', 'logprobs', 'max_completion_tokens', 'max_tokens', 'messages', 'metadata', 'modalities', 'model', 'moderation', 'n',
  'parallel_tool_calls', 'prediction', 'presence_penalty', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention', 'reasoning_effort', 'response_format', 'safety_identifier', 'seed',
  'service_tier', 'stop', 'store', 'stream', 'stream_options', 'temperature', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'user', 'verbosity', 'web_search_options',
];

test('every parameter of OpenAI has a declared fate', () => {
  expect(OPENAI_PARAMS.filter((name) => !Object.hasOwn(geminiParams, name))).toEqual([]);
});

test('values that ask for nothing special are neither refused nor listed', () => {
  const neutral = {
    n: 1, temperature: 1, top_p: 1, presence_penalty: 0, frequency_penalty: 0, logit_bias: {}, logprobs: false, parallel_tool_calls: true, modalities: ['text'], service_tier: 'auto', store: false,
    metadata: {}, functions: [], function_call: 'auto', audio: null, user: null, verbosity: 'medium', stream_options: { include_usage: true },
  };
  expect(refusedParam(geminiParams, neutral)).toBeNull();
  expect(droppedParams(geminiParams, neutral)).toEqual([]);
});

test('what would change the answer is refused by name, what would not is listed', () => {
  expect(refusedParam(geminiParams, { user: 'u', logit_bias: { 50256: -100 } })).toMatchObject({ param: 'logit_bias' });
  expect(refusedParam(geminiParams, { audio: { voice: 'alloy', format: 'wav' } })).toMatchObject({ param: 'audio' });
  expect(refusedParam(geminiParams, { web_search_options: {} })).toMatchObject({ param: 'web_search_options' });
  const body = { user: 'u', store: true, metadata: { a: 'b' }, prediction: {}, nobody_knows: 1, stop: 'x' };
  expect(droppedParams(geminiParams, body)).toEqual(['user', 'store', 'metadata', 'prediction', 'nobody_knows']);
});
