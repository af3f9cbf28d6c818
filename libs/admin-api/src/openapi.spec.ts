import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { openApi } from './openapi.ts';
import { operation, pathParameters, type AdminOperation } from './operation.ts';
import { ADMIN_OPERATIONS } from './operations.ts';

const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
const DOCUMENT = openApi();
type Described = { operationId: string; parameters: { $ref?: string; name?: string; in?: string; schema?: object }[]; requestBody?: object; responses: Record<string, { content?: Record<string, { schema: object }>; headers?: object }> };
const described = ({ path, method }: AdminOperation): Described => DOCUMENT.paths[`/${path}`]![method.toLowerCase()] as Described;

/** Every object in it, at any depth. */
function* within(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* within(inner);
}
const at = (ref: string): unknown => ref.slice(2).split('/').reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], DOCUMENT);

test('every operation stands at its address once, under its id', () => {
  const ids = Object.values(DOCUMENT.paths).flatMap((methods) => Object.values(methods).map((one) => (one as Described).operationId));
  expect(ids.toSorted()).toEqual(OPERATIONS.map(({ id }) => id).toSorted());
  for (const one of OPERATIONS) expect(described(one).operationId).toBe(one.id);
});

test('it is plain data, the same each time, and every reference in it leads somewhere', () => {
    expect(JSON.parse(JSON.stringify(DOCUMENT))).toEqual(DOCUMENT);
  expect(openApi()).toEqual(DOCUMENT);
  const references = [...within(DOCUMENT)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
  expect(references.filter((ref) => at(ref) === undefined)).toEqual([]);
});

test.each(OPERATIONS.map((one) => [one.id, one] as const))('%s names what stands in its path, asks for a body where it takes one, and has a schema of its answer', (_id, one) => {
  const { parameters, requestBody, responses } = described(one);
  expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(pathParameters(one));
  expect(parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name)).toEqual(Object.keys(one.query?.shape ?? {}));
  expect(requestBody !== undefined).toBe(one.body !== null);
  const content = Object.values(responses[one.status]?.content ?? {});
  expect(content.length).toBeGreaterThan(0);
  for (const { schema } of content) expect(Object.keys(schema).length).toBeGreaterThan(0);
});

test('If-Match is there for changes of what exists, Idempotency-Key for all that is posted to change something', () => {
  const headersOf = (id: string): string[] => described(OPERATIONS.find((one) => one.id === id)!).parameters.flatMap(({ $ref }) => ($ref === undefined ? [] : [$ref.split('/').at(-1)!]));
  expect([headersOf('createKey'), headersOf('rotateKey'), headersOf('updateKey'), headersOf('deleteTenant'), headersOf('getKey'), headersOf('explainPlan')]).toEqual([['IdempotencyKey'], ['IfMatch', 'IdempotencyKey'], ['IfMatch'], ['IfMatch'], [], []]);
});

test('errors have one shape, whatever their status', () => {
  for (const response of Object.values(DOCUMENT.components.responses)) expect((response as Described['responses'][string]).content?.['application/json']?.schema).toEqual({ $ref: '#/components/schemas/Error' });
});

test('money goes in as text or number and comes out as text', () => {
  const { Budget, BudgetInput } = DOCUMENT.components.schemas as Record<string, { properties: { usd: { type: unknown } }; required: string[] }>;
  expect([Budget?.properties.usd.type, BudgetInput?.properties.usd.type]).toEqual(['string', ['string', 'number']]);
  expect([Budget?.required, BudgetInput?.required]).toEqual([['usd', 'period', 'mode', 'time_zone'], ['usd', 'period']]);
});

test('an answer may gain members, a body may not', () => {
  const { Tenant, CreateTenantBody } = DOCUMENT.components.schemas;
  expect([Tenant?.['additionalProperties'], CreateTenantBody?.['additionalProperties']]).toEqual([undefined, false]);
});

test('patterns are such that every dialect of regular expressions reads them', () => {
  const patterns = [...within(DOCUMENT)].flatMap(({ pattern }) => (typeof pattern === 'string' ? [pattern] : []));
  expect(patterns.filter((pattern) => /\\[pP]\{/.test(pattern))).toEqual([]);
});

test('an operation that is added to the list is described without more', () => {
  const added = operation({ id: 'makeTea', method: 'POST', path: 'pots/{id}/tea', summary: 'Tea', body: z.strictObject({ cups: z.int() }), reply: z.object({ cups: z.int() }) });
  expect(openApi([added]).paths['/pots/{id}/tea']?.['post']).toMatchObject({ operationId: 'makeTea', requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/MakeTeaBody' } } } } });
});
