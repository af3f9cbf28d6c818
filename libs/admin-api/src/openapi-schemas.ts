import { ERRORS } from '@deja/contracts';
import { z } from 'zod';
import { adminTokenObject } from './admin-tokens.ts';
import { auditEntry } from './cluster.ts';
import { credentialObject } from './credentials.ts';
import { deploymentObject } from './deployments.ts';
import { budget, cachePolicy, deleted, limit, limits, perUser, scopeLimits, usd, validation } from './fields.ts';
import { keyObject, keyWithSecret } from './keys.ts';
import { tenantObject } from './tenants.ts';
import { requestObject } from './usage.ts';
import type { AdminOperation } from './operation.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;
type Side = 'input' | 'output';

/** JSON schemas by name, and the name of each schema that has one. */
export interface NamedSchemas {
  schemas: Record<string, Readonly<Record<string, unknown>>>;
  names: ReadonlyMap<z.ZodType, string>;
}

const FIELDS: Record<string, z.ZodType> = { Limits: limits, ScopeLimits: scopeLimits, PerUser: perUser, Budget: budget, CachePolicy: cachePolicy, Validation: validation };
const OBJECTS: Record<string, z.ZodType> = {
  Tenant: tenantObject, Key: keyObject, KeyWithSecret: keyWithSecret, AdminToken: adminTokenObject, Credential: credentialObject, Deployment: deploymentObject, Request: requestObject, AuditEntry: auditEntry, Deleted: deleted,
};

/** How money is written. */
const AMOUNT = '^\\d{1,10}(\\.\\d{1,9})?$';
/** Formats that say as much as the pattern that stands beside them. */
const SPEAKING_FORMATS = new Set(['date-time', 'uuid', 'ipv4', 'ipv6']);
/** Formats that no list of formats has; the pattern beside them says it. */
const OWN_FORMATS = new Set(['cidrv4', 'cidrv6']);

export const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The field that is wrong, as limits.concurrency.' },
        code: { type: 'string', enum: Object.keys(ERRORS) },
      },
    },
  },
};

/** Schemas of request bodies, as clients may send them. */
export function bodySchemas(operations: readonly AdminOperation[]): NamedSchemas {
  const names = new Map(Object.entries(FIELDS).map(([name, schema]) => [schema, `${name}Input`]));
  for (const { id, body } of operations) if (body !== null) names.set(body, `${capitalized(id)}Body`);
  return named(names, 'input');
}

/** Schemas of replies, as the wire has them. */
export function replySchemas(operations: readonly AdminOperation[]): NamedSchemas {
  const names = new Map(Object.entries({ ...FIELDS, ...OBJECTS }).map(([name, schema]) => [schema, name]));
  for (const { id, reply, streams } of operations) if (!names.has(reply) && streams !== true) names.set(reply, `${capitalized(id)}Reply`);
  return named(names, 'output');
}

/** Query parameters with their schemas, as they stand in an address. */
export function querySchema(query: z.ZodObject): { properties?: Record<string, unknown>; required?: string[] } {
  return z.toJSONSchema(query, { io: 'input', unrepresentable: 'any', override: ({ zodSchema, jsonSchema }) => adapt(zodSchema, jsonSchema, 'input') });
}

function named(names: ReadonlyMap<z.ZodType, string>, side: Side): NamedSchemas {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: side,
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ zodSchema, jsonSchema }) => adapt(zodSchema, jsonSchema, side),
  });
  return { names, schemas: Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _dialect, $id: _uri, ...schema }]) => [id, schema])) };
}

/** What zod cannot say of a schema, or says in a way that not every reader of JSON Schema understands. */
function adapt(zodSchema: z.core.$ZodType, json: JsonSchema, side: Side): void {
  if (zodSchema === limit) replace(json, { type: 'integer', minimum: 1, maximum: 1000, default: 100 });
  if (zodSchema === usd) replace(json, side === 'input' ? { type: ['string', 'number'], pattern: AMOUNT, minimum: 0, description: 'US dollars.' } : { type: 'string', pattern: AMOUNT, description: 'US dollars.' });
  if (json.pattern !== undefined && SPEAKING_FORMATS.has(json.format ?? '')) delete json.pattern;
  if (OWN_FORMATS.has(json.format ?? '')) delete json.format;
  // Property escapes are not in every dialect of regular expressions.
  if (json.pattern !== undefined) json.pattern = json.pattern.replaceAll('\\P{Cc}', '[^\\u0000-\\u001f\\u007f-\\u009f]').replaceAll('\\p{Cc}', '\\u0000-\\u001f\\u007f-\\u009f');
  // A reply may gain members: only what is declared as strict takes no others.
  if (side === 'output' && zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined) delete json.additionalProperties;
}

function replace(json: JsonSchema, by: Record<string, unknown>): void {
  for (const member of Object.keys(json)) delete json[member];
  Object.assign(json, by);
}

const capitalized = (id: string): string => id.charAt(0).toUpperCase() + id.slice(1);
