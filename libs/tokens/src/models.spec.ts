import { encodingFor, tokenizerFor } from './index.ts';

test.each([
  ['gpt-4o', 'o200k_base'],
  ['gpt-4o-mini-2024-07-18', 'o200k_base'],
  ['gpt-4.1-nano', 'o200k_base'],
  ['gpt-5', 'o200k_base'],
  ['gpt-5.1-codex', 'o200k_base'],
  ['gpt-9', 'o200k_base'],
  ['gpt-oss-120b', 'o200k_base'],
  ['o1', 'o200k_base'],
  ['o3-mini', 'o200k_base'],
  ['o4-mini-2025-04-16', 'o200k_base'],
  ['chatgpt-4o-latest', 'o200k_base'],
  ['gpt-4', 'cl100k_base'],
  ['gpt-4-0613', 'cl100k_base'],
  ['gpt-4-turbo', 'cl100k_base'],
  ['gpt-3.5-turbo', 'cl100k_base'],
  ['gpt-35-turbo-16k', 'cl100k_base'],
  ['text-embedding-3-small', 'cl100k_base'],
  ['text-embedding-ada-002', 'cl100k_base'],
  ['ft:gpt-3.5-turbo-0125:acme::id', 'cl100k_base'],
  ['ft:gpt-4o-mini-2024-07-18:acme::id', 'o200k_base'],
  ['openai/gpt-4', 'cl100k_base'],
  ['GPT-4', 'cl100k_base'],
])('%s counts with %s, exactly', (model, encoding) => {
  expect(encodingFor(model)).toBe(encoding);
  expect(tokenizerFor(model).factor).toBe(1);
});

test.each(['claude-haiku-4-5', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'models/gemini-2.5-pro', 'meta-llama/Llama-3.1-8B-Instruct', 'mistral-large-2411', 'o200', 'my-own', '', 'constructor'])(
  '%s counts with o200k_base and something on top',
  (model) => {
    expect(encodingFor(model)).toBe('o200k_base');
    expect(tokenizerFor(model).factor).toBeGreaterThan(1);
  },
);

test('the longest name that fits is the model', () => {
  expect(tokenizerFor('gpt-4o-mini').images).not.toEqual(tokenizerFor('gpt-4o').images);
  expect(tokenizerFor('gpt-5-nano').images).not.toEqual(tokenizerFor('gpt-5').images);
  expect(tokenizerFor('gpt-5.4-mini').images).toEqual(tokenizerFor('gpt-5.4').images);
});
