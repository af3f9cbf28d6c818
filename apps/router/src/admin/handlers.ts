import type { ADMIN_OPERATIONS, BodyOf, OwnedBy, QueryOf, ReplyOf } from '@deja/admin-api';
import type { AdminChange } from '@deja/contracts';
import type { Transaction } from '../schema/transaction.ts';
import type { Done } from './done.ts';

export type RouterOperation = OwnedBy<'router'>;
type OperationOf<Id extends RouterOperation> = Extract<(typeof ADMIN_OPERATIONS)[number], { id: Id }>;

/** A call whose role was checked, and whose query and body are as the operation's schemas have them. */
export interface CallOf<Id extends RouterOperation> extends AdminChange {
  params: Record<string, string>;
  query: QueryOf<Id>;
  body: BodyOf<Id>;
}

/** The reply without the member that travels sealed. */
export type Wire<Id extends RouterOperation> = OperationOf<Id> extends { secret: infer Secret extends string } ? Omit<ReplyOf<Id>, Secret> : ReplyOf<Id>;

/** Answers without changing anything. */
export type Read<Id extends RouterOperation> = (call: CallOf<Id>) => Promise<{ body: Wire<Id>; etag: string | null }>;
/** Does its work in the transaction that also takes the row of the audit log; it may be done again when the database says so, so all else waits for `afterwards`. */
export type Change<Id extends RouterOperation> = (call: CallOf<Id>, tx: Transaction) => Promise<Done<Wire<Id>>>;

export type Handlers = { [Id in RouterOperation]: OperationOf<Id> extends { method: 'GET' } | { change: false } ? Read<Id> : Change<Id> };
