import fc from 'fast-check';
import { entryOf, foreignness, payloadOf, pointId, type Wanted } from './payload.ts';

const word = fc.string({ unit: 'binary', maxLength: 12 });
const name = fc.oneof(word.filter((text) => !text.includes('=')), fc.constant('__proto__'));
const entries = fc.record(
  {
    tenant: word, scope: word, fingerprint: word, entry: word, text: word,
    expiresAtMs: fc.nat(),
    made: fc.record({ createdAtMs: fc.nat(), model: word, asked: word, tags: fc.dictionary(name, word, { noNullPrototype: true }) }, { requiredKeys: ['createdAtMs', 'model'] }),
    bytes: fc.nat(),
  },
  { requiredKeys: ['tenant', 'scope', 'fingerprint', 'entry', 'text', 'expiresAtMs'] },
);

test('what is written can be read again, all of it', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const found = entryOf(JSON.parse(JSON.stringify(payloadOf(entry, 'static-256@1', 1))));
      expect(found?.entry).toEqual(entry);
      expect(found?.embedder).toBe('static-256@1');
    }),
  );
});

test('equal words of one partition are told by their hash, and nothing else is equal to them', () => {
  fc.assert(
    fc.property(entries, entries, (one, other) => {
      const parts = ({ tenant, scope, fingerprint, text }: typeof one): string => JSON.stringify([tenant, scope, fingerprint, text]);
      expect(payloadOf(one, 'a', 1).words === payloadOf(other, 'b', 2).words).toBe(parts(one) === parts(other));
      expect(payloadOf({ ...other, ...pick(one) }, 'b', 2).words).toBe(payloadOf(one, 'a', 1).words);
    }),
  );
});

const pick = ({ tenant, scope, fingerprint, text }: { tenant: string; scope: string; fingerprint: string; text: string }): object => ({ tenant, scope, fingerprint, text });

test('the id of a point is a UUID that only the tenant and the id of the answer decide', () => {
  expect(pointId({ tenant: 'acme', entry: '01900000-0000-7000-8000-000000000001' })).toBe('9d8014ca-6c3d-8a2e-80a9-17e379cb3e41');
  fc.assert(
    fc.property(word, word, word, (tenant, entry, other) => {
      expect(pointId({ tenant, entry })).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(pointId({ tenant, entry }) === pointId({ tenant: other, entry })).toBe(tenant === other);
      expect(pointId({ tenant, entry }) === pointId({ tenant, entry: other })).toBe(entry === other);
    }),
  );
});

test('a point of another embedder, tenant, scope or fingerprint, or one that is over, may not be served', () => {
  const partition = { tenant: 'acme', scope: 'tenant', fingerprint: 'f' };
  const wanted: Wanted = { embedder: 'static-256@1', tenant: 'acme', partition, nowMs: 1000 };
  const found = entryOf(payloadOf({ ...partition, entry: 'e', text: 't', expiresAtMs: 1001 }, 'static-256@1', 1));
  expect(foreignness(found, wanted)).toBeNull();
  expect(foreignness(found, { ...wanted, nowMs: 1001 })).toBe('expired');
  expect(foreignness(found, { ...wanted, embedder: 'static-256@2' })).toBe('embedder');
  expect(foreignness(found, { ...wanted, tenant: 'other' })).toBe('tenant');
  expect(foreignness(found, { ...wanted, partition: { ...partition, scope: 'user:1' } })).toBe('scope');
  expect(foreignness(found, { ...wanted, partition: { ...partition, fingerprint: 'e' } })).toBe('fingerprint');
  expect(foreignness(entryOf({ tenant: 'acme' }), wanted)).toBe('unreadable');
});
