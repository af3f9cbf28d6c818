import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** Schemas of OpenAI's API description that tests may check a value against. */
export type SchemaName =
  | 'CreateChatCompletionRequest' | 'CreateChatCompletionResponse' | 'CreateChatCompletionStreamResponse'
  | 'CreateResponse' | 'Response' | 'ResponseStreamEvent'
  | 'CreateCompletionRequest' | 'CreateCompletionResponse'
  | 'CreateEmbeddingRequest' | 'CreateEmbeddingResponse'
  | 'CreateModerationRequest' | 'CreateModerationResponse'
  | 'ListModelsResponse' | 'Model' | 'ErrorResponse' | 'ImagesResponse' | 'OpenAIFile' | 'Batch';

type Schema = Record<string, unknown>;

const validators = new Map<SchemaName, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/**
 * What is wrong with a value by OpenAI's own description of its API; empty when nothing is. Fields the description does
 * not know are allowed, as it allows them.
 */
export function schemaProblems(name: SchemaName, value: unknown): string[] {
  const validate = validators.get(name) ?? compiled(name);
  validators.set(name, validate);
  return validate(value) ? [] : (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if').map(problem);
}

function compiled(name: SchemaName): ValidateFunction {
  ajv ??= loaded();
  const validate = ajv.getSchema(`openai#/$defs/${name}`);
  if (!validate) throw new Error(`no schema named ${name}`);
  return validate;
}

function loaded(): Ajv2020 {
  const { $defs } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'schemas', 'openai.json'), 'utf8')) as { $defs: Record<string, Schema> };
  const made = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(made);
  made.addFormat('unixtime', true);
  const definitions = Object.entries($defs).map(([name, schema]) => [name, withTaggedUnions(schema, $defs)] as const);
  return made.addSchema({ $id: 'openai', $defs: Object.fromEntries(definitions) });
}

const problem = ({ instancePath, message, params }: ErrorObject): string => `${instancePath || '(whole)'} ${message ?? ''} ${JSON.stringify(params)}`;

/**
 * Where every alternative is told by one field (`type`, `role`, …), only the alternatives with the value's own tag are
 * tried: a problem then names the field that is wrong instead of every way in which a value is no other thing.
 * Alternatives may overlap in OpenAI's description, so `oneOf` is read as `anyOf`.
 */
function withTaggedUnions(schema: unknown, definitions: Record<string, Schema>): unknown {
  if (Array.isArray(schema)) return schema.map((each) => withTaggedUnions(each, definitions));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { oneOf, anyOf, ...rest } = schema as Schema;
  const out: Schema = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, key === 'enum' || key === 'const' ? value : withTaggedUnions(value, definitions)]));
  const alternatives = Array.isArray(oneOf) ? oneOf : anyOf;
  // A property may be named `anyOf`; then it holds a schema, not a list.
  if (!Array.isArray(alternatives)) return { ...out, ...(oneOf !== undefined && { oneOf }), ...(anyOf !== undefined && { anyOf }) };
  const others = alternatives.filter((each: Schema) => each['type'] !== 'null');
  const inner = others.map((each) => withTaggedUnions(each, definitions) as Schema);
  const taken = inner.length === 1 ? inner[0] : (taggedUnion(others, inner, definitions) ?? { anyOf: inner });
  return { allOf: [out, others.length === alternatives.length ? taken : { if: { type: 'null' }, else: taken }] };
}

function taggedUnion(alternatives: Schema[], inner: Schema[], definitions: Record<string, Schema>): Schema | null {
  for (const tag of ['type', 'object', 'role', 'status']) {
    const cases = alternatives.map((each) => tagValues(each, tag, definitions));
    if (cases.every((values) => values !== null)) return union(tag, cases, inner);
  }
  return null;
}

function union(tag: string, cases: unknown[][], alternatives: Schema[]): Schema {
  const values = [...new Set(cases.flat())];
  return {
    type: 'object',
    required: [tag],
    properties: { [tag]: { enum: values } },
    allOf: values.map((value) => {
      const matching = alternatives.filter((_, position) => cases[position]?.includes(value));
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's own word
      return { if: { required: [tag], properties: { [tag]: { const: value } } }, then: matching.length === 1 ? matching[0] : { anyOf: matching } };
    }),
  };
}

/** The values that `tag` must have in this alternative; null when the alternative does not insist on any. */
function tagValues(schema: Schema, tag: string, definitions: Record<string, Schema>): unknown[] | null {
  const name = typeof schema['$ref'] === 'string' ? schema['$ref'].split('/').at(-1) : undefined;
  const { required, properties } = (name === undefined ? schema : (definitions[name] ?? {})) as { required?: string[]; properties?: Record<string, Schema> };
  const field = properties?.[tag];
  if (!field || !required?.includes(tag)) return null;
  if ('const' in field) return [field['const']];
  return Array.isArray(field['enum']) ? field['enum'] : null;
}
