import { ADMIN_OPERATIONS, isAtLeast, issueWords, memberAt, ROLES, type AdminOperation, type BodyOf, type OwnedBy, type QueryOf } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import { z } from 'zod';

export type UsageOperation = OwnedBy<'usage-worker'>;

const OPERATIONS: ReadonlyMap<string, AdminOperation> = new Map(ADMIN_OPERATIONS.filter(({ owner }) => owner === 'usage-worker').map((operation) => [operation.id, operation]));

/** Of UsageRpc's `admin`: what is needed of it here. */
export const USAGE_CALL = z.object({
  operation: z.string().refine((id): id is UsageOperation => OPERATIONS.has(id), 'the usage-worker has no such operation'),
  params: z.record(z.string(), z.string()),
  query: z.unknown(),
  body: z.unknown(),
  by: z.object({ name: z.string(), role: z.enum(ROLES), tenant: z.string().nullable() }),
  after: z.string().nullable(),
  // A gateway of an earlier version makes no changes here, and does not send it.
  changeId: z.uuid().nullable().default(null),
});
export type UsageCall = z.output<typeof USAGE_CALL>;

/** Throws what the caller is to be told where the role does not allow it. */
export function checkRole({ operation: id, by }: UsageCall): void {
  const operation = OPERATIONS.get(id);
  if (operation === undefined || !isAtLeast(by.role, operation.role) || (by.tenant !== null && !operation.tenantScoped)) throw new DejaError('permission_denied', 'Your role does not allow this.');
}

/** Throws a 400 that names the parameter. */
export const queryOf = <Id extends UsageOperation>(id: Id, given: unknown): QueryOf<Id> => parsed(OPERATIONS.get(id)?.query ?? null, given) as QueryOf<Id>;

/** The body, and under which id its change is made. Throws a 400 that names the member; `not_found` for another tenant than the caller's. */
export function changeOf<Id extends UsageOperation>(id: Id, { body: given, changeId, by }: UsageCall): { body: BodyOf<Id>; changeId: string } {
  const body = parsed(OPERATIONS.get(id)?.body ?? null, given);
  if (changeId === null) throw new DejaError('invalid_value', 'A change of the ledger comes with its id.', { param: 'changeId' });
  if (by.tenant !== null && (body as { tenant?: unknown }).tenant !== by.tenant) throw new DejaError('not_found', 'There is no such tenant.', { param: 'tenant' });
  return { body: body as BodyOf<Id>, changeId };
}

function parsed(schema: z.ZodType | null, given: unknown): unknown {
  const read = schema?.safeParse(given ?? {}, { error: issueWords });
  if (read?.success) return read.data;
  const [issue] = read?.error.issues ?? [];
  const param = memberAt([...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])]);
  const reason = issue?.code === 'unrecognized_keys' ? 'there is no such parameter' : (issue?.message ?? 'it does not fit');
  throw new DejaError('invalid_value', `Invalid value for '${param}': ${reason}.`, { param });
}
