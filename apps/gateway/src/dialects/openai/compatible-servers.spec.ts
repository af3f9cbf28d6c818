import { describe, expect, test } from '@jest/globals';
import { refusedParam } from '../params.ts';
import { parseJsonBody } from '../../validate/json-body.ts';
import { openAiBody } from './body.ts';
import { COMPATIBLE_SERVERS, offers, paramsOf, SERVER_NAMES, serverOf } from './compatible-servers.ts';

const named = (name: string) => serverOf({ kind: 'openai', baseUrl: 'https://x.example', server: name });

describe('which server a deployment speaks to', () => {
  test.each([
    ['https://api.openai.com/v1', 'openai'],
    ['https://eu.api.openai.com/v1', 'openai'],
    ['https://east.openai.azure.com/openai/v1', 'azure-openai'],
    ['https://api.deepseek.com', 'deepseek'],
    ['https://api.groq.com/openai/v1', 'groq'],
    ['https://api.mistral.ai/v1', 'mistral'],
    ['https://codestral.mistral.ai/v1', 'mistral'],
    ['https://api.x.ai/v1', 'xai'],
    ['https://eu-west-1.api.x.ai/v1', 'xai'],
    ['https://openrouter.ai/api/v1', 'openrouter'],
    ['http://localhost:11434/v1', 'ollama'],
    ['http://ollama:11434/v1', 'ollama'],
    ['https://api.together.xyz/v1', 'together'],
    ['https://api.fireworks.ai/inference/v1', 'fireworks'],
    ['https://api.cohere.ai/compatibility/v1', 'cohere'],
    ['http://localhost:8000/v1', 'generic'],
    ['https://notapi.openai.com/v1', 'generic'],
    ['https://api.openai.com.evil.example/v1', 'generic'],
    ['https://evil.example/api.openai.com', 'generic'],
    ['no url', 'generic'],
  ])('%s is %s', (baseUrl, name) => {
    expect(serverOf({ kind: 'openai', baseUrl }).name).toBe(name);
  });

  test('a configured name wins over the address, an unknown one is as good as none', () => {
    expect(serverOf({ kind: 'openai', baseUrl: 'https://api.openai.com/v1', server: 'vllm' }).name).toBe('vllm');
    expect(serverOf({ kind: 'openai', baseUrl: 'https://api.openai.com/v1', server: 'nobody' }).name).toBe('openai');
    expect(serverOf({ kind: 'openai', baseUrl: 'https://api.openai.com/v1', server: null }).name).toBe('openai');
    expect(serverOf({ kind: 'azure-openai', baseUrl: 'https://ai.corp.example' }).name).toBe('azure-openai');
  });

  test('every name is there once, and every row tells its source', () => {
    expect(new Set(SERVER_NAMES).size).toBe(COMPATIBLE_SERVERS.length);
    expect(COMPATIBLE_SERVERS.filter((server) => server.source === '')).toEqual([]);
  });

  test('a server is asked only for what it offers', () => {
    expect(offers(named('openai'), 'images/generations')).toBe(true);
    expect(offers(named('openai'), 'imagesque')).toBe(false);
    expect(offers(named('deepseek'), 'responses')).toBe(false);
    expect(offers(named('generic'), 'responses')).toBe(false);
    expect(offers(named('generic'), 'files/file-1/content')).toBe(true);
    expect(COMPATIBLE_SERVERS.every((server) => offers(server, 'chat/completions'))).toBe(true);
  });
});

/** One request with everything in it; what arrives, what is told to have been left out, and what is refused. */
const REQUEST = {
  model: 'm',
  messages: [{ role: 'developer', content: 'Be brief.' }],
  stream: true,
  max_completion_tokens: 5,
  seed: 7,
  n: 1,
  presence_penalty: 0,
  frequency_penalty: 1,
  logprobs: false,
  user: 'u',
  safety_identifier: 's',
  store: true,
  metadata: { a: 'b' },
  verbosity: 'low',
  service_tier: 'auto',
  prompt_cache_key: 'k',
  parallel_tool_calls: true,
};
const ASKED = { stream_options: { include_usage: true } };
const AS_SYSTEM = { messages: [{ role: 'system', content: 'Be brief.' }] };
const MAX_TOKENS = { max_completion_tokens: undefined, max_tokens: 5 };

describe('the rules of each server', () => {
  test.each<[string, Record<string, unknown>, string[]]>([
    ['openai', ASKED, []],
    ['azure-openai', ASKED, []],
    ['deepseek', { ...ASKED, ...AS_SYSTEM, ...MAX_TOKENS }, []],
    [
      'groq',
      { ...ASKED, n: 1, logprobs: undefined, safety_identifier: undefined, store: undefined, metadata: undefined, verbosity: undefined, prompt_cache_key: undefined },
      ['safety_identifier', 'store', 'metadata', 'verbosity', 'prompt_cache_key'],
    ],
    [
      'mistral',
      { ...AS_SYSTEM, ...MAX_TOKENS, seed: undefined, random_seed: 7, logprobs: undefined, user: undefined, safety_identifier: undefined, store: undefined, verbosity: undefined, service_tier: undefined },
      ['user', 'safety_identifier', 'store', 'verbosity', 'service_tier'],
    ],
    ['xai', { ...ASKED, presence_penalty: undefined }, []],
    ['openrouter', ASKED, []],
    ['ollama', { ...ASKED, ...AS_SYSTEM, ...MAX_TOKENS }, []],
    ['vllm', { ...ASKED, ...AS_SYSTEM }, []],
    ['together', { ...ASKED, ...AS_SYSTEM, ...MAX_TOKENS }, []],
    ['fireworks', AS_SYSTEM, []],
    ['cohere', { ...MAX_TOKENS, store: undefined, metadata: undefined, service_tier: undefined, parallel_tool_calls: undefined }, ['store', 'metadata', 'service_tier']],
    ['generic', ASKED, []],
  ])('%s gets the request with %j', (name, changes, dropped) => {
    const sent = openAiBody(parseJsonBody(Buffer.from(JSON.stringify(REQUEST))), { upstreamModel: 'm', stream: true, includeUsage: false, server: named(name), endpoint: 'chat/completions' });
    const expected: Record<string, unknown> = { ...REQUEST, ...changes };
    if (['groq', 'cohere', 'ollama'].includes(name)) delete expected['n'];
    expect(JSON.parse(sent.text)).toEqual(JSON.parse(JSON.stringify(expected)));
    expect(sent.dropped).toEqual(dropped);
  });

  test.each([
    ['groq', { n: 2 }, 'n'],
    ['groq', { logit_bias: { 1: 2 } }, 'logit_bias'],
    ['groq', { logprobs: true }, 'logprobs'],
    ['groq', { n: 1, logprobs: false, top_logprobs: 0, logit_bias: {} }, null],
    ['mistral', { top_logprobs: 3 }, 'top_logprobs'],
    ['mistral', { n: 2 }, null],
    ['ollama', { n: 2 }, 'n'],
    ['cohere', { parallel_tool_calls: false }, 'parallel_tool_calls'],
    ['cohere', { modalities: ['text', 'audio'] }, 'modalities'],
    ['cohere', { modalities: ['text'], parallel_tool_calls: true, n: null }, null],
    ['openai', { n: 2, logprobs: true }, null],
    ['generic', { n: 2, logprobs: true }, null],
  ])('%s with %j is refused for %s', (name, body, param) => {
    expect(refusedParam(paramsOf(named(name), 'chat/completions'), body)?.param ?? null).toBe(param);
  });

  test('what cannot be left out without another answer is left for the server to refuse', () => {
    const sent = openAiBody(parseJsonBody(Buffer.from('{"model":"m","n":2}')), { upstreamModel: 'm', stream: false, includeUsage: false, server: named('groq'), endpoint: 'chat/completions' });
    expect(sent).toEqual({ text: '{"model":"m","n":2}', dropped: [] });
  });

  test('embeddings have rules of their own', () => {
    const body = parseJsonBody(Buffer.from('{"model":"m","input":"x","dimensions":256,"user":"u"}'));
    expect(openAiBody(body, { upstreamModel: 'm', stream: false, includeUsage: false, server: named('mistral'), endpoint: 'embeddings' })).toEqual({
      text: '{"model":"m","input":"x","output_dimension":256}',
      dropped: ['user'],
    });
    expect(refusedParam(paramsOf(named('cohere'), 'embeddings'), body.value)?.param).toBe('dimensions');
  });
});
