import { ERRORS, type ErrorCode } from '@deja/contracts';
import { z } from 'zod';
import { bodySchemas, errorSchema, querySchema, replySchemas } from './openapi-schemas.ts';
import { pathParameters, takesIdempotencyKey, takesIfMatch, type AdminOperation } from './operation.ts';
import { ADMIN_OPERATIONS } from './operations.ts';

export type Json = { readonly [member: string]: unknown };

/** A description by OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1). Plain data. */
export interface OpenApi {
  openapi: string;
  info: Json;
  servers: Json[];
  security: Json[];
  tags: Json[];
  paths: Record<string, Json>;
  components: { schemas: Record<string, Json>; responses: Record<string, Json>; parameters: Record<string, Json>; headers: Record<string, Json>; securitySchemes: Record<string, Json> };
}

/** Longest id of anything; a longer one names nothing. */
export const MAX_ID_CHARS = 512;

const ERROR_CODES: readonly ErrorCode[] = [
  'invalid_json', 'invalid_value', 'missing_required_parameter', 'invalid_api_key', 'permission_denied', 'not_found', 'model_not_found', 'conflict', 'precondition_failed', 'request_too_large', 'internal_error', 'overloaded',
];
/** Responses of errors by status, as `Error400`. */
const errorName = (status: number): string => `Error${status}`;
/** Before anybody reads an address it may be too long for that. */
const TOO_LARGE_HEADERS = 431;
const BY_EVERY_CALL = [400, 401, 403, 404, TOO_LARGE_HEADERS, 500, 503];

const IF_MATCH = { name: 'If-Match', in: 'header', required: false, schema: { type: 'string', pattern: '^(\\*|"\\d{1,15}")$' }, description: 'The etag that it must still have: where it was changed since, nothing is done.' };
const IDEMPOTENCY_KEY = { name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', pattern: '^[\\x20-\\x7e]{16,255}$' }, description: 'Of the same request, sent again within 24 hours under the same key, the first answer is repeated.' };

const HEADERS: Record<string, Json> = {
  'x-request-id': { description: 'Also in the audit log and in the log of the gateway.', required: true, schema: { type: 'string', format: 'uuid' } },
  etag: { description: 'What to send in If-Match. There is none for what deja.yaml has.', schema: { type: 'string' } },
  'idempotent-replayed': { description: 'The answer of an earlier request under the same Idempotency-Key.', schema: { type: 'string', const: 'true' } },
  'retry-after': { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
};

/** The admin API as OpenAPI describes it, out of the schemas that check its calls. The same list gives the same description. */
export function openApi(operations: readonly AdminOperation[] = ADMIN_OPERATIONS): OpenApi {
  const bodies = bodySchemas(operations);
  const replies = replySchemas(operations);
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    (paths[`/${operation.path}`] ??= {})[operation.method.toLowerCase()] = described(operation, bodies.names, replies.names);
  }
  return {
    openapi: '3.1.1',
    info: { title: 'deja admin API', version: 'v1', description: 'For operators: tenants, client keys, credentials, usage and the rest. docs/admin.md says it at length.' },
    servers: [{ url: '/admin/v1' }],
    security: [{ bearer: [] }],
    tags: [...new Set(operations.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: errorSchema, ...bodies.schemas, ...replies.schemas },
      responses: errorResponses(),
      parameters: { IfMatch: IF_MATCH, IdempotencyKey: IDEMPOTENCY_KEY },
      headers: HEADERS,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'DEJA_ADMIN_KEY, or an admin token: deja-admin-…' } },
    },
  };
}

const tagOf = ({ path }: AdminOperation): string => path.split('/')[0] ?? '';
const ref = (kind: 'schemas' | 'responses' | 'parameters' | 'headers', name: string): Json => ({ $ref: `#/components/${kind}/${name}` });

function described(operation: AdminOperation, bodies: ReadonlyMap<z.ZodType, string>, replies: ReadonlyMap<z.ZodType, string>): Json {
  const { id, summary, role, tenantScoped, body } = operation;
  const bodyName = body === null ? undefined : bodies.get(body);
  const changes = takesIdempotencyKey(operation) || takesIfMatch(operation);
  const errors = [...BY_EVERY_CALL, ...(changes ? [409] : []), ...(takesIfMatch(operation) ? [412] : []), ...(operation.method === 'GET' ? [] : [413])].toSorted((a, b) => a - b);
  return {
    operationId: id,
    summary,
    tags: [tagOf(operation)],
    description: `The least role is ${role}. ${tenantScoped ? 'A token of one tenant may call it, for what is that tenant\'s.' : 'Not for tokens of one tenant.'}`,
    'x-deja-role': role,
    'x-deja-tenant-scoped': tenantScoped,
    parameters: parametersOf(operation),
    ...(bodyName !== undefined && { requestBody: { required: true, content: { 'application/json': { schema: ref('schemas', bodyName) } } } }),
    responses: { [operation.status]: success(operation, replies), ...Object.fromEntries(errors.map((status) => [status, ref('responses', errorName(status))])) },
  };
}

function parametersOf(operation: AdminOperation): Json[] {
  const inPath = pathParameters(operation).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string', minLength: 1, maxLength: MAX_ID_CHARS }, description: 'A slash in it may be written as %2F.' }));
  const { properties = {}, required = [] } = operation.query === null ? {} : querySchema(operation.query);
  const inQuery = Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }));
  return [
    ...inPath,
    ...inQuery,
    ...(takesIfMatch(operation) ? [ref('parameters', 'IfMatch')] : []),
    ...(takesIdempotencyKey(operation) ? [ref('parameters', 'IdempotencyKey')] : []),
  ];
}

function success(operation: AdminOperation, replies: ReadonlyMap<z.ZodType, string>): Json {
  const headers = ['x-request-id', ...(hasEtag(operation) ? ['etag'] : []), ...(takesIdempotencyKey(operation) ? ['idempotent-replayed'] : [])];
  const lines = { schema: { type: 'string' } };
  const schema = ref('schemas', replies.get(operation.reply) ?? '');
  return {
    description: operation.summary,
    headers: Object.fromEntries(headers.map((name) => [name, ref('headers', name)])),
    content: operation.streams === true ? { 'application/jsonl': lines, 'text/csv': lines } : { 'application/json': { schema } },
  };
}

/** What is changed has a moment of its last change, and an etag with it. */
const hasEtag = ({ reply }: AdminOperation): boolean => reply instanceof z.ZodObject && 'updated_at' in reply.shape;

function errorResponses(): Record<string, Json> {
  const byStatus = Map.groupBy(ERROR_CODES, (code) => ERRORS[code].status);
  const content = { 'application/json': { schema: ref('schemas', 'Error') } };
  const described = [...byStatus].map(([status, codes]): [string, Json] => [errorName(status), {
    description: `One of the codes ${codes.join(', ')}.`,
    headers: { 'x-request-id': ref('headers', 'x-request-id'), ...(status === 503 && { 'retry-after': ref('headers', 'retry-after') }) },
    content,
  }]);
  return Object.fromEntries([...described, [errorName(TOO_LARGE_HEADERS), { description: 'The address and the headers take more than 16 KiB: code invalid_value.', content }]]);
}
