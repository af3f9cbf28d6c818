// Cuts the schemas the tests check against out of OpenAI's OpenAPI description:
//   node libs/testing/schemas/extract.ts <openapi.json>
// Writes openai.json beside itself: JSON Schema 2020-12, one definition a line, without words for people.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = Record<string, unknown>;

const ROOTS = [
  'CreateChatCompletionRequest', 'CreateChatCompletionResponse', 'CreateChatCompletionStreamResponse', 'CreateResponse', 'Response', 'ResponseStreamEvent',
  'CreateCompletionRequest', 'CreateCompletionResponse', 'CreateEmbeddingRequest', 'CreateEmbeddingResponse', 'CreateModerationRequest', 'CreateModerationResponse',
  'ListModelsResponse', 'Model', 'ErrorResponse', 'ImagesResponse', 'OpenAIFile', 'Batch',
];

/** Says nothing about what is valid. */
const WORDS = new Set(['description', 'title', 'example', 'examples', 'default', 'deprecated', 'discriminator', 'nullable', '$recursiveAnchor']);
/** Keywords whose members are named by the API, not by JSON Schema. */
const NAMED = new Set(['properties', 'patternProperties', '$defs']);
/** Keywords that hold values, not schemas. */
const VALUES = new Set(['enum', 'const', 'required']);
const REF = '#/components/schemas/';

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: extract.ts <OpenAI’s OpenAPI description as JSON>');
const description = JSON.parse(readFileSync(path, 'utf8')) as { components: { schemas: Record<string, Json> } };
const found = new Map<string, unknown>();
const queue = [...ROOTS];
for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
  const schema = description.components.schemas[name];
  if (!schema) throw new Error(`no schema named ${name}`);
  if (!found.has(name)) found.set(name, plain(schema, name));
}

const lines = [...found.keys()].sort().map((name) => `${JSON.stringify(name)}: ${JSON.stringify(found.get(name))}`);
writeFileSync(join(import.meta.dirname, 'openai.json'), `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {\n${lines.join(',\n')}\n}}\n`);

/** A schema in plain JSON Schema 2020-12; notes what it refers to. `owner` is the definition it stands in. */
function plain(schema: unknown, owner: string): unknown {
  if (Array.isArray(schema)) return schema.map((each) => plain(each, owner));
  if (typeof schema !== 'object' || schema === null) return schema;
  const out: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    if (WORDS.has(key) || key.startsWith('x-')) continue;
    if (key === '$ref') out['$ref'] = reference(String(value));
    // Only ever `#`: the definition itself.
    else if (key === '$recursiveRef') out['$ref'] = reference(REF + owner);
    else if (VALUES.has(key)) out[key] = value;
    else if (NAMED.has(key)) out[key] = Object.fromEntries(Object.entries(value as Json).map(([name, each]) => [name, plain(each, owner)]));
    else out[key] = plain(value, owner);
  }
  return (schema as Json)['nullable'] === true ? { anyOf: [out, { type: 'null' }] } : out;
}

function reference(ref: string): string {
  const name = ref.slice(REF.length);
  if (!ref.startsWith(REF)) throw new Error(`${ref} is not among the schemas`);
  queue.push(name);
  return `#/$defs/${name}`;
}
