import { expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, type AdminOperation, type OperationId } from '@deja/admin-api';
import fc from 'fast-check';
import { conditionsOf } from './change-headers.ts';

const find = (id: OperationId): AdminOperation => ADMIN_OPERATIONS.find((operation) => operation.id === id)!;
const conditions = (id: OperationId, headers: Record<string, string>, path = 'keys', body: unknown = {}, fingerprintKey = Buffer.from('one')) => conditionsOf(find(id), headers, { path, body, fingerprintKey });
const KEY = 'sixteen-or-more!';

test('without headers a change is unconditional, and has no name', () => {
  for (const operation of ADMIN_OPERATIONS) expect(conditions(operation.id, {})).toEqual({ ifMatch: null, idempotency: null });
});

test.each(['"0"', '"1"', '"123456789012345"'])('the etag %s is the condition of a change of what is there', (etag) => {
  for (const id of ['updateKey', 'rotateKey', 'deleteKey', 'updateCredential'] as const) expect(conditions(id, { 'if-match': etag }).ifMatch).toBe(etag);
});

test('* is any, and what reads or makes something new does not look at If-Match', () => {
  expect(conditions('updateKey', { 'if-match': '*' }).ifMatch).toBeNull();
  for (const id of ['getKey', 'listKeys', 'createKey', 'explainPlan', 'validateConfig'] as const) expect(conditions(id, { 'if-match': 'nonsense' }).ifMatch).toBeNull();
});

test.each(['1', 'W/"1"', '"1", "2"', '""', '"a"', '"-1"', '"1.5"', "'1'", '"1" ', '**', `"${'1'.repeat(16)}"`])('If-Match: %s is refused by name', (etag) => {
  expect(() => conditions('updateKey', { 'if-match': etag })).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'If-Match' }));
});

test.each(['', 'too-short', 'x'.repeat(15), 'x'.repeat(256), `${KEY}ä`, `${KEY}\t`, `${KEY}\u007f`])('Idempotency-Key: %j is refused by name', (key) => {
  expect(() => conditions('createKey', { 'idempotency-key': key })).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'Idempotency-Key' }));
});

test('calls that may be repeated anyway do not look at Idempotency-Key', () => {
  for (const id of ['getKey', 'updateKey', 'deleteKey', 'explainPlan', 'validateConfig'] as const) expect(conditions(id, { 'idempotency-key': 'x' }).idempotency).toBeNull();
});

test('the same request has the same fingerprint, and another one has not; who has not the gateways\' key can tell nothing from it', () => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (body, otherBody) => {
      const of = (path: string, given: string, key = 'one'): string => conditions('createKey', { 'idempotency-key': KEY }, path, JSON.parse(given), Buffer.from(key)).idempotency!.fingerprint;
      const first = of('keys', body);
      expect(first).toMatch(/^[0-9a-f]{64}$/);
      expect([of('keys', body), of('keys', otherBody) === first]).toEqual([first, JSON.stringify(JSON.parse(body)) === JSON.stringify(JSON.parse(otherBody))]);
      expect([of('keys/x', body) === first, of('keys', body, 'another') === first]).toEqual([false, false]);
    }),
  );
});

test('a key of 16 to 255 printable characters is taken as it is', () => {
  for (const key of [KEY, 'x'.repeat(255), '~ !"#$%&()*+,-./']) expect(conditions('rotateKey', { 'idempotency-key': key }).idempotency?.key).toBe(key);
});
