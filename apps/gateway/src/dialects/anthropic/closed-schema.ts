import { isObject, type JsonObject } from './messages-api.ts';

const KEPT = new Set(['type', 'enum', 'const', 'title', 'description', 'default', 'required', '$ref']);
const SILENT = new Set(['$schema', '$id', '$comment', 'examples', 'discriminator', 'additionalProperties']);
const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid']);
const TELLS_A_TYPE = ['type', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf'];

/**
 * A JSON Schema as Anthropic's constrained decoding takes it ("Structured outputs", JSON Schema limitations): every object
 * is closed, and what cannot be enforced (bounds, patterns) is told to the model in the description, as Anthropic's own
 * SDKs do. Null when that would change which answers are right: maps, anything-goes, recursion.
 */
export function closedSchema(schema: JsonObject): JsonObject | null {
  return isRecursive(schema) ? null : closed(schema);
}

function closed(schema: unknown): JsonObject | null {
  if (!isObject(schema) || !TELLS_A_TYPE.some((name) => schema[name] !== undefined) || isOpen(schema)) return null;
  const out: JsonObject = {};
  const told: string[] = [];
  for (const [name, value] of Object.entries(schema)) {
    if (SILENT.has(name)) continue;
    const kept = keyword(name, value);
    if (kept === null) return null;
    if (kept === undefined) told.push(`${name}: ${JSON.stringify(value)}`);
    else out[name === 'oneOf' ? 'anyOf' : name] = kept;
  }
  if (isOfType(schema, 'object')) out['additionalProperties'] = false;
  if (told.length > 0) out['description'] = [schema['description'], `(${told.join(', ')})`].filter(Boolean).join(' ');
  return out;
}

/** What becomes of one keyword: its value, undefined when it cannot be enforced, null when the schema cannot be expressed. */
function keyword(name: string, value: unknown): unknown {
  if (KEPT.has(name)) return value;
  if (name === 'properties' || name === '$defs' || name === 'definitions') return isObject(value) ? closedMap(value) : null;
  if (name === 'anyOf' || name === 'oneOf' || name === 'allOf') return Array.isArray(value) ? closedList(value) : null;
  if (name === 'items') return closed(value);
  if (name === 'format') return typeof value === 'string' && FORMATS.has(value) ? value : undefined;
  if (name === 'minItems') return value === 0 || value === 1 ? value : undefined;
  return name === 'patternProperties' || name === 'prefixItems' ? null : undefined;
}

function closedMap(schemas: JsonObject): JsonObject | null {
  const entries = Object.entries(schemas).map(([name, schema]) => [name, closed(schema)] as const);
  return entries.some(([, schema]) => schema === null) ? null : Object.fromEntries(entries);
}

function closedList(schemas: unknown[]): JsonObject[] | null {
  const list = schemas.map(closed);
  return list.every((schema) => schema !== null) ? list : null;
}

const isOfType = (schema: JsonObject, type: string): boolean => [schema['type']].flat().includes(type) || (type === 'object' && isObject(schema['properties']));

/** An object with keys of any name, or a list of anything. */
function isOpen(schema: JsonObject): boolean {
  const rest = schema['additionalProperties'];
  if (isOfType(schema, 'array') && schema['items'] === undefined) return true;
  return isOfType(schema, 'object') && (rest === undefined ? !isObject(schema['properties']) : rest !== false);
}

function isRecursive(root: JsonObject): boolean {
  const seen = new Set<unknown>();
  const walk = (node: unknown, path: readonly string[]): boolean => {
    if (Array.isArray(node)) return node.some((item: unknown) => walk(item, path));
    if (!isObject(node)) return false;
    return Object.entries(node).some(([name, value]) => {
      if (name === '$ref' && typeof value === 'string') return leadsBack(value, path);
      return name !== '$defs' && name !== 'definitions' && walk(value, path);
    });
  };
  const leadsBack = (ref: string, path: readonly string[]): boolean => {
    const target = resolve(root, ref);
    if (target === undefined || path.includes(ref)) return true; // a reference to elsewhere cannot be expressed either
    if (seen.has(target)) return false;
    const recursive = walk(target, [...path, ref]);
    seen.add(target);
    return recursive;
  };
  return walk(root, ['#']);
}

function resolve(root: JsonObject, ref: string): unknown {
  const [, group = '', name = ''] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(ref) ?? [];
  const definitions = root[group];
  return ref === '#' ? root : isObject(definitions) && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
}
