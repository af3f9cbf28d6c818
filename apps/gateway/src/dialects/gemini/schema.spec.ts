import fc from 'fast-check';
import { geminiSchema, saysNothing } from './schema.ts';

test('a schema that Gemini understands goes as it is', () => {
  const schema = {
    type: 'object', additionalProperties: false, required: ['name'], $defs: { age: { type: ['integer', 'null'], minimum: 0 } },
    properties: { name: { type: 'string', enum: ['a', 'b'] }, age: { $ref: '#/$defs/age' }, tags: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } } },
  };
  expect(geminiSchema(schema)).toEqual(schema);
});

test('const becomes an enum of one, for a boolean and null its type', () => {
  const properties = { kind: { const: 'cat' }, legs: { type: 'integer', const: 4 }, alive: { const: true }, owner: { const: null } };
  expect(geminiSchema({ properties })).toEqual({
    properties: { kind: { enum: ['cat'] }, legs: { type: 'integer', enum: [4] }, alive: { type: 'boolean' }, owner: { type: 'null' } },
  });
});

test('a property may have the name of a keyword', () => {
  const schema = { type: 'object', properties: { const: { type: 'string' }, definitions: { type: 'object' }, allOf: { type: 'string' }, $ref: { type: 'string' } } };
  expect(geminiSchema(schema)).toEqual(schema);
});

test('definitions are $defs, and a reference has no neighbours', () => {
  const properties = { pet: { $ref: '#/definitions/pet', description: 'a pet' }, other: { allOf: [{ $ref: '#/definitions/pet' }], title: 'Other' } };
  const schema = { definitions: { pet: { const: 'cat' } }, properties };
  expect(geminiSchema(schema)).toEqual({ $defs: { pet: { enum: ['cat'] } }, properties: { pet: { $ref: '#/$defs/pet' }, other: { $ref: '#/$defs/pet' } } });
});

test('schemas that hold together become one where that can be said', () => {
  const one = { properties: { a: { type: 'string' } }, required: ['a'] };
  const two = { properties: { b: { type: 'string' } }, required: ['b'] };
  expect(geminiSchema({ type: 'object', allOf: [one, two] })).toEqual({ type: 'object', properties: { ...one.properties, ...two.properties }, required: ['a', 'b'] });
  const references = { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }] };
  expect(geminiSchema(references)).toEqual(references);
});

test('parameters that say nothing are told from those that do', () => {
  expect([undefined, {}, { type: 'object', properties: {} }, { type: 'object', additionalProperties: false }].map(saysNothing)).toEqual([true, true, true, true]);
  expect([{ properties: { a: {} } }, { $ref: '#/$defs/a' }, { additionalProperties: { type: 'string' } }].map(saysNothing)).toEqual([false, false, false]);
});

test('no schema, however odd, makes it fall over', () => {
  const keywords = fc.constantFrom('type', 'properties', 'items', 'allOf', 'anyOf', 'const', 'definitions', '$defs', '$ref', 'required', 'additionalProperties', '__proto__');
  const schemas = fc.letrec((tie) => ({
    schema: fc.oneof({ maxDepth: 4 }, fc.constantFrom<unknown>(true, null, 'x', 1), fc.array(tie('schema'), { maxLength: 3 }), fc.dictionary(keywords, tie('schema'), { maxKeys: 4 })),
  })).schema;
  fc.assert(fc.property(schemas, (schema) => expect(() => JSON.stringify(geminiSchema(schema))).not.toThrow()));
});
