import type { z } from 'zod';

/** What an admin token may do; each role may do all that those before it may. The root admin key is an owner. */
export const ROLES = ['viewer', 'operator', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** Which app does it: the router has tenants, keys, credentials and the audit log, the usage-worker the ledger, a gateway what only it sees. */
export type Owner = 'router' | 'usage-worker' | 'gateway';

/** One call of the admin API. The list of all of them (operations.ts) is the whole surface: gateway, OpenAPI, CLI and docs read it. */
export interface AdminOperation {
  /** Also the name of the message to the app that does it. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/admin/v1`. A parameter takes the rest of the path up to what follows it: ids may hold slashes. */
  readonly path: string;
  readonly summary: string;
  readonly owner: Owner;
  /** The least role that may call it. */
  readonly role: Role;
  /** Whether the token of one tenant may call it; it then sees, and changes, only what is that tenant's. */
  readonly tenantScoped: boolean;
  /** Whether it changes what is kept: it is audited, and takes an `Idempotency-Key` where it is a POST. */
  readonly change: boolean;
  /** null: it takes no query parameters. */
  readonly query: z.ZodObject | null;
  /** null: it takes no body. */
  readonly body: z.ZodType | null;
  readonly reply: z.ZodType;
  readonly status: 200 | 201;
  /** A member of the reply that is shown once, and that travels between apps only sealed. */
  readonly secret?: string;
  /** Its body may hold secrets in clear: between apps it travels only sealed, as `{sealed}`. */
  readonly sealsBody?: boolean;
  /** The reply is no JSON but a stream of lines. */
  readonly streams?: boolean;
}

type Given = Partial<AdminOperation> & Pick<AdminOperation, 'id' | 'method' | 'path' | 'summary' | 'reply'>;

/** What goes without saying: a GET is a viewer's, a change an operator's, and both the router's. */
export interface OperationDefaults {
  readonly owner: 'router';
  readonly role: Role;
  readonly tenantScoped: boolean;
  readonly change: boolean;
  readonly query: null;
  readonly body: null;
  readonly status: 200;
}

/** An operation with what goes without saying. */
export function operation<const O extends Given>(given: O): Omit<AdminOperation, keyof O | keyof OperationDefaults> & Omit<OperationDefaults, keyof O> & O {
  const change = given.change ?? given.method !== 'GET';
  const usual: OperationDefaults = { owner: 'router', role: change ? 'operator' : 'viewer', tenantScoped: false, change, query: null, body: null, status: 200 };
  return { ...usual, ...given } as Omit<AdminOperation, keyof O | keyof OperationDefaults> & Omit<OperationDefaults, keyof O> & O;
}

/** Names of the parameters in an operation's path. */
export const pathParameters = ({ path }: Pick<AdminOperation, 'path'>): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

/** Whether `If-Match` is looked at: it changes something that is there already. */
export const takesIfMatch = (operation: Pick<AdminOperation, 'change' | 'path'>): boolean => operation.change && operation.path.includes('{');

/** Whether `Idempotency-Key` is looked at. */
export const takesIdempotencyKey = ({ change, method }: Pick<AdminOperation, 'change' | 'method'>): boolean => change && method === 'POST';

export const isAtLeast = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
