import { isObject } from './generate-content.ts';

/** Keywords that hold one schema, a list of schemas, schemas by name. */
const ONE = new Set(['items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames', 'unevaluatedProperties', 'unevaluatedItems']);
const LIST = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const BY_NAME = new Set(['properties', 'patternProperties', '$defs', 'dependentSchemas']);

/**
 * A JSON Schema as `responseJsonSchema` and `parametersJsonSchema` take it. Both read real JSON Schema and ignore keywords
 * they do not know ("Structured output", section "JSON schema support"), so only what would lose its meaning or be refused
 * is written in another way: `const`, `definitions`, `allOf` with one meaning, and a `$ref` with neighbours.
 */
export function geminiSchema(schema: unknown): unknown {
  if (!isObject(schema)) return schema; // true and false are schemas too
  const own = withoutConst(withoutAllOf(withoutDefinitions(schema)));
  const reference = own['$ref'];
  const entries = typeof reference === 'string' ? Object.entries(own).filter(([name]) => name.startsWith('$')) : Object.entries(own);
  return Object.fromEntries(entries.map(([name, value]) => [name, name === '$ref' && typeof value === 'string' ? defsReference(value) : below(name, value)]));
}

/** Whether these parameters of a function say nothing: Gemini wants them left away then. */
export function saysNothing(schema: unknown): boolean {
  if (!isObject(schema)) return true;
  const properties = schema['properties'];
  const empty = properties === undefined || (isObject(properties) && Object.keys(properties).length === 0);
  return empty && !['$ref', 'anyOf', 'oneOf', 'allOf', 'patternProperties'].some((name) => name in schema) && !isObject(schema['additionalProperties']);
}

function below(name: string, value: unknown): unknown {
  if (ONE.has(name)) return Array.isArray(value) ? value.map(geminiSchema) : geminiSchema(value);
  if (LIST.has(name)) return Array.isArray(value) ? value.map(geminiSchema) : value;
  if (BY_NAME.has(name) && isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, schema]) => [key, geminiSchema(schema)]));
  return value;
}

const defsReference = (reference: string): string => reference.replace(/^#\/definitions\//, '#/$defs/');

/** `definitions` is the name of `$defs` before JSON Schema 2019-09. */
function withoutDefinitions(schema: Record<string, unknown>): Record<string, unknown> {
  if (!isObject(schema['definitions'])) return schema;
  const { definitions, ...rest } = schema;
  return { ...rest, $defs: { ...definitions, ...(isObject(rest['$defs']) && rest['$defs']) } };
}

/** An enum of one; Gemini knows enums of texts and numbers only. */
function withoutConst(schema: Record<string, unknown>): Record<string, unknown> {
  if (!('const' in schema)) return schema;
  const { const: only, ...rest } = schema;
  if (typeof only === 'string' || typeof only === 'number') return { ...rest, enum: [only] };
  if (typeof only === 'boolean') return { type: 'boolean', ...rest };
  return only === null ? { type: 'null', ...rest } : rest;
}

/** Several schemas that must hold together, as one, where that can be said without a second `$ref`. */
function withoutAllOf(schema: Record<string, unknown>): Record<string, unknown> {
  const { allOf, ...own } = schema;
  if (!Array.isArray(allOf) || !allOf.every(isObject)) return schema;
  const all = allOf.map((one) => withoutAllOf(one)).concat(own);
  const says = (one: Record<string, unknown>): boolean => ['type', 'properties', 'items', 'anyOf', 'oneOf', 'enum', '$ref'].some((name) => name in one);
  if (all.some((one) => '$ref' in one || 'allOf' in one) && all.filter(says).length > 1) return schema;
  return all.reduce((merged, one) => ({
    ...merged,
    ...one,
    ...(isObject(merged['properties']) && isObject(one['properties']) && { properties: { ...merged['properties'], ...one['properties'] } }),
    ...(Array.isArray(merged['required']) && Array.isArray(one['required']) && { required: [...new Set([...merged['required'], ...one['required']])] }),
  }));
}
