import { expect, test } from '@jest/globals';
import { metaOf, operation as operationOf } from '../../test/cache-stage.ts';
import { replyHeaders } from './reply.ts';

test('an answer to a similar question says which, how near it was and why it was taken, in ASCII and not without end', () => {
  const operation = operationOf('m');
  operation.servedFromCache({ meta: metaOf({ id: 'e1' }), body: Buffer.alloc(0), similarity: 0.91234, explanation: `differs in form only: café / ${'x'.repeat(1000)}\r\nx-evil: 1` }, 'semantic');
  const headers = replyHeaders(operation);
  expect(headers).toMatchObject({ 'x-cache': 'HIT-SEMANTIC', 'x-cache-entry': 'e1', 'x-cache-similarity': '0.9123' });
  expect(headers['x-cache-explanation']).toMatch(/^differs in form only: caf%C3%A9 \/ x+$/);
  expect(headers['x-cache-explanation']?.length).toBeLessThan(300);
});

test('an answer to the same question has nothing to explain', () => {
  const operation = operationOf('m');
  operation.servedFromCache({ meta: metaOf(), body: Buffer.alloc(0), similarity: null }, 'exact');
  expect(replyHeaders(operation)).not.toHaveProperty('x-cache-explanation');
});
