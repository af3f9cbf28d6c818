import { expect, test } from '@jest/globals';
import { fromAzurePath, withModelOfPath } from './azure-paths.ts';

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

test('a body that leaves the model to the address gets it; one that names another is refused, because something in front may have looked at the address', () => {
  const at = (body: string) => withModelOfPath(Buffer.from(body), '/openai/deployments/my%20model/chat/completions?api-version=x').toString();
  expect(at('{"n": 12345678901234567890}')).toBe('{"n": 12345678901234567890,"model":"my model"}');
  expect(at('{"model":"my model"}')).toBe('{"model":"my model"}');
  expect(() => at('{"model":"other"}')).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'model' }));
  expect(withModelOfPath(Buffer.from('{}'), '/v1/chat/completions').toString()).toBe('{}');
});
