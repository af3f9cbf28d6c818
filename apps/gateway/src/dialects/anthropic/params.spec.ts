import { droppedParams, refusedParam } from '../params.ts';
import { anthropic } from './anthropic.ts';

const { params } = anthropic;

test.each([
  ['n', 2],
  ['logprobs', true],
  ['top_logprobs', 3],
  ['logit_bias', { 50256: -100 }],
  ['temperature', 1.2],
  ['stop', '\n'],
  ['stop', ['a', ' ']],
  ['modalities', ['text', 'audio']],
  ['audio', { voice: 'alloy' }],
  ['web_search_options', {}],
  ['response_format', { type: 'grammar' }],
  ['tools', [{ type: 'custom', custom: { name: 'sql' } }]],
  ['messages', [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'aa', format: 'wav' } }] }]],
  ['messages', [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }]],
])('%s = %j is refused: the answer would be another one', (name, value) => {
  expect(refusedParam(params, { [name]: value })).toMatchObject({ param: name, reason: expect.stringMatching(/\w/) });
});

test.each([
  ['n', 1],
  ['logprobs', false],
  ['logit_bias', {}],
  ['temperature', 1],
  ['temperature', 0],
  ['presence_penalty', 0],
  ['frequency_penalty', 0],
  ['stop', ['END', '\nUser:']],
  ['stop', []],
  ['modalities', ['text']],
  ['store', false],
  ['metadata', {}],
  ['verbosity', 'medium'],
  ['response_format', { type: 'text' }],
  ['audio', null],
  ['tools', [{ type: 'function', function: { name: 'f' } }, { type: 'web_search_20250305', name: 'web_search' }]],
  ['messages', [{ role: 'user', content: [{ type: 'text', text: '' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }]],
])('%s = %j is neither refused nor listed', (name, value) => {
  expect(refusedParam(params, { [name]: value })).toBeNull();
  expect(droppedParams(params, { [name]: value })).toEqual([]);
});

test.each([
  ['seed', 7],
  ['presence_penalty', 0.5],
  ['frequency_penalty', 0.5],
  ['store', true],
  ['metadata', { a: 'b' }],
  ['prediction', {}],
  ['prompt_cache_key', 'k'],
  ['verbosity', 'low'],
  ['unheard_of', 1],
])('%s = %j is left out and listed', (name, value) => {
  expect(refusedParam(params, { [name]: value })).toBeNull();
  expect(droppedParams(params, { [name]: value })).toEqual([name]);
});
