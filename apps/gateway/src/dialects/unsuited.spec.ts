import type { Candidate } from '@deja/contracts';
import { unsuitedAsItIs } from './unsuited.ts';

const at = (kind: Candidate['deployment']['kind'], baseUrl: string): Pick<Candidate, 'deployment'> => ({
  deployment: { id: 'p/m', provider: 'p', kind, baseUrl, apiVersion: null, upstreamModel: 'm', credentials: [], unavailableUntilMs: 0 },
});

test('a parameter that a server would not honour is refused before the call, at every endpoint', () => {
  expect(unsuitedAsItIs('embeddings', { input: 'a', dimensions: 64 }, at('openai', 'https://api.cohere.ai/compatibility/v1'))).toMatchObject({ param: 'dimensions' });
  expect(unsuitedAsItIs('completions', { prompt: 'a', n: 2 }, at('openai', 'http://127.0.0.1:11434/v1'))).toMatchObject({ param: 'n' });
});

test('a value that asks for nothing, and a server that honours it, are no reason', () => {
  expect(unsuitedAsItIs('completions', { prompt: 'a', n: 1, logit_bias: {} }, at('openai', 'http://127.0.0.1:11434/v1'))).toBeNull();
  expect(unsuitedAsItIs('embeddings', { input: 'a', dimensions: 64 }, at('openai', 'https://api.openai.com/v1'))).toBeNull();
});

test('a provider without the endpoint is refused by the name of the model', () => {
  expect(unsuitedAsItIs('embeddings', {}, at('anthropic', 'https://api.anthropic.com'))).toMatchObject({ param: 'model', message: expect.stringContaining('embeddings') });
  expect(unsuitedAsItIs('moderations', {}, at('azure-openai', 'https://r.openai.azure.com'))).toMatchObject({ param: 'model' });
});
