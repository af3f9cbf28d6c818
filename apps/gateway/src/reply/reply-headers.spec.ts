import { createServer, validateHeaderValue } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { metaOf, operation as operationOf } from '../../test/cache-stage.ts';
import type { AttemptRecord } from '@deja/contracts';
import { replyHeaders, sendWhole } from './reply.ts';

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

test('every answer says what there is to say, in the same order, and nothing of what there is not', () => {
  const attempts = fc.array(fc.record({ provider: fc.constantFrom('p', 'q'), deployment: fc.constantFrom('p/m', 'q/é'), shadow: fc.boolean() }), { maxLength: 3 });
  fc.assert(fc.property(fc.constantFrom('MISS', 'BYPASS', null), fc.option(fc.constant('no_entry')), fc.option(fc.constant('m é')), attempts, fc.array(fc.constantFrom('top_k', 'no token')), fc.boolean(), (cache, cacheReason, servedModel, tried, droppedParams, isHit) => {
    const operation = operationOf('m');
    Object.assign(operation, { cache, cacheReason, servedModel, droppedParams });
    operation.attempts.push(...(tried as unknown as AttemptRecord[]));
    if (isHit) operation.servedFromCache({ meta: metaOf({ id: 'e1', provider: 'h', deployment: 'h/m', model: 'hm' }), body: Buffer.alloc(0), similarity: null }, 'exact');
    const served = isHit ? { provider: 'h', deployment: 'h/m' } : tried.findLast(({ shadow }) => !shadow);
    const ascii = (text: string): string => text.replaceAll('é', '%C3%A9');
    const { age, ...headers } = replyHeaders(operation, { first: '1' });
    expect(age === undefined).toBe(!isHit);
    const expected = {
      first: '1', 'x-request-id': operation.id,
      ...(operation.cache && { 'x-cache': operation.cache }), ...(operation.cacheReason && { 'x-cache-reason': operation.cacheReason }), ...(isHit && { 'x-cache-entry': 'e1' }),
      ...(operation.servedModel && { 'x-deja-model': ascii(operation.servedModel) }), ...(served && { 'x-deja-provider': served.provider, 'x-deja-deployment': ascii(served.deployment) }),
      'x-deja-attempts': String(tried.filter(({ shadow }) => !shadow).length),
      ...(droppedParams.length > 0 && !isHit && { 'x-deja-dropped-params': droppedParams.filter((name) => name === 'top_k').join(',') }),
    };
    expect(Object.entries(headers)).toEqual(Object.entries(expected));
  }));
});

test('names with line breaks, of a client, of deja.yaml or of a provider, make no header of their own and break no answer', () => {
  const evil = 'm\r\nset-cookie: a=b\r\n\r\n<html>\0é';
  const operation = operationOf('m');
  Object.assign(operation, { servedModel: evil, droppedParams: [evil, 'top_k'] });
  operation.attempts.push({ provider: evil, deployment: evil, shadow: false } as unknown as AttemptRecord);
  const headers = replyHeaders(operation);
  for (const name of ['x-deja-model', 'x-deja-provider', 'x-deja-deployment']) expect(headers[name]).toBe('m%0D%0Aset-cookie: a=b%0D%0A%0D%0A<html>%00%C3%A9');
  expect(headers['x-deja-dropped-params']).toBe('top_k');
  for (const [name, value] of Object.entries(headers)) expect(() => validateHeaderValue(name, value)).not.toThrow();
});

test.each([0, 1, 200, 16 * 1024, 16 * 1024 + 1])('a whole reply of %i bytes arrives as it is, whatever its bytes', async (length) => {
  const body = Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256));
  const server = createServer((_request, response) => sendWhole(response, operationOf('m'), body)).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const reply = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect([reply.status, reply.headers.get('content-length'), reply.headers.get('content-type')]).toEqual([200, String(length), 'application/json']);
    expect(Buffer.from(await reply.arrayBuffer()).equals(body)).toBe(true);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
