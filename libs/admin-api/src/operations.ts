import { ADMIN_TOKENS } from './admin-tokens.ts';
import { ALERTS } from './alerts.ts';
import { CACHE } from './cache.ts';
import { CLUSTER } from './cluster.ts';
import { CREDENTIALS } from './credentials.ts';
import { DEPLOYMENTS } from './deployments.ts';
import { KEYS } from './keys.ts';
import { LEDGER } from './ledger.ts';
import { TENANTS } from './tenants.ts';
import { USAGE } from './usage.ts';
import type { z } from 'zod';

/** The whole admin surface. */
export const ADMIN_OPERATIONS = [...TENANTS, ...KEYS, ...ADMIN_TOKENS, ...CREDENTIALS, ...DEPLOYMENTS, ...USAGE, ...LEDGER, ...ALERTS, ...CACHE, ...CLUSTER] as const;

type Operations = (typeof ADMIN_OPERATIONS)[number];
export type OperationId = Operations['id'];
type OperationOf<Id extends OperationId> = Extract<Operations, { id: Id }>;
type Parsed<T> = T extends z.ZodType ? z.output<T> : null;

/** What a handler gets of a call, and gives back: the reply as it goes on the wire, without `secret` where that travels sealed. */
export type BodyOf<Id extends OperationId> = Parsed<OperationOf<Id>['body']>;
export type QueryOf<Id extends OperationId> = Parsed<OperationOf<Id>['query']>;
export type ReplyOf<Id extends OperationId> = z.output<OperationOf<Id>['reply']>;
/** What a client may send. */
export type BodyInput<Id extends OperationId> = OperationOf<Id>['body'] extends z.ZodType ? z.input<OperationOf<Id>['body']> : undefined;
/** Ids of the operations that this app does. */
export type OwnedBy<O extends Operations['owner']> = Extract<Operations, { owner: O }>['id'];
