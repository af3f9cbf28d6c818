import fc from 'fast-check';
import { closedSchema } from './closed-schema.ts';

test('every object is closed, what cannot be enforced is told, and oneOf is anyOf', () => {
  expect(
    closedSchema({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        age: { type: 'integer', minimum: 0, description: 'In years.' },
        tags: { type: 'array', items: { type: 'string', format: 'slug' }, minItems: 1, maxItems: 3 },
        at: { type: 'string', format: 'date' },
        who: { oneOf: [{ $ref: '#/$defs/p' }, { type: 'null' }] },
      },
      required: ['age'],
      $defs: { p: { type: 'object', properties: { name: { type: ['string', 'null'] } } } },
    }),
  ).toEqual({
    type: 'object',
    properties: {
      age: { type: 'integer', description: 'In years. (minimum: 0)' },
      tags: { type: 'array', items: { type: 'string', description: '(format: "slug")' }, minItems: 1, description: '(maxItems: 3)' },
      at: { type: 'string', format: 'date' },
      who: { anyOf: [{ $ref: '#/$defs/p' }, { type: 'null' }] },
    },
    required: ['age'],
    $defs: { p: { type: 'object', properties: { name: { type: ['string', 'null'] } }, additionalProperties: false } },
    additionalProperties: false,
  });
});

const withProperty = (schema: unknown): Record<string, unknown> => ({ type: 'object', properties: { x: schema } });

test.each([
  ['a map', withProperty({ type: 'object', additionalProperties: { type: 'string' } })],
  ['an object of anything', withProperty({ type: 'object' })],
  ['a list of anything', withProperty({ type: 'array' })],
  ['anything', withProperty({})],
  ['true', withProperty(true)],
  ['patternProperties', { ...withProperty({ type: 'string' }), patternProperties: { a: { type: 'string' } } }],
  ['a schema that holds itself', withProperty({ $ref: '#' })],
  ['a definition that holds itself', { ...withProperty({ $ref: '#/$defs/n' }), $defs: { n: withProperty({ type: 'array', items: { $ref: '#/$defs/n' } }) } }],
  ['definitions that hold each other', { ...withProperty({ $ref: '#/$defs/a' }), $defs: { a: withProperty({ $ref: '#/$defs/b' }), b: withProperty({ $ref: '#/$defs/a' }) } }],
  ['a reference to elsewhere', withProperty({ $ref: 'https://example.com/schema' })],
])('%s cannot be expressed', (_what, schema) => {
  expect(closedSchema(schema)).toBeNull();
});

test('a definition used twice is no recursion', () => {
  const schema = { type: 'object', properties: { a: { $ref: '#/$defs/p' }, b: { $ref: '#/$defs/p' } }, $defs: { p: { type: 'string' } } };
  expect(closedSchema(schema)).toEqual({ ...schema, additionalProperties: false });
});

test('no schema, however strange, makes it fail', () => {
  fc.assert(fc.property(fc.dictionary(fc.constantFrom('type', 'properties', 'items', 'anyOf', '$ref', '$defs', 'enum', 'minimum'), fc.jsonValue()), (schema) => void closedSchema(schema)));
});
