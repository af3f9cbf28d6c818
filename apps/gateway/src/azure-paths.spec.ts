import { expect, test } from '@jest/globals';
import { fromAzurePath } from './azure-paths.ts';

test.each([
  ['/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21', '/v1/chat/completions'],
  ['/openai/deployments/my%20model/embeddings?api-version=2024-10-21', '/v1/embeddings'],
  ['/openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21', '/v1/audio/transcriptions'],
  ['/openai/v1/responses?api-version=preview', '/v1/responses'],
  ['/openai/v1/responses/resp_1/input_items?limit=2&api-version=preview&order=asc', '/v1/responses/resp_1/input_items?limit=2&order=asc'],
  ['/openai/files?api-version=2024-10-21&purpose=batch', '/v1/files?purpose=batch'],
  ['/openai/models', '/v1/models'],
])('a client of Azure that calls %s means %s', (azure, ours) => expect(fromAzurePath(azure)).toBe(ours));

test.each(['/v1/chat/completions', '/openai', '/openai/deployments/x', '/openai/deployments/x/y', '/openai/threads', '/x/openai/v1/files', '/healthz?next=/openai/files'])('%s stays as it is', (url) => expect(fromAzurePath(url)).toBe(url));
