import type { BodyOf, OperationId, OwnedBy, QueryOf, ReplyOf } from '@deja/admin-api';
import type { AdminChange } from '@deja/contracts';

/** A call whose caller, query and body were checked. */
export interface OperationCall<Query = unknown, Body = unknown> {
  /** What stands in the path, by name. */
  params: Record<string, string>;
  query: Query;
  body: Body;
  /** The same as they came, for an app that parses them itself. */
  sent: { query: unknown; body: unknown };
  /** Who calls (also of what changes nothing), and on which conditions. */
  change: AdminChange;
}

export interface Answer<Body = unknown> {
  body: Body;
  /** Of the resource in the body; null where there is none. */
  etag: string | null;
  /** It was done before, under the same idempotency key. */
  replayed: boolean;
}

/** An operation that a gateway does itself. */
export type Handler<Id extends OperationId> = (call: OperationCall<QueryOf<Id>, BodyOf<Id>>) => Promise<Answer<ReplyOf<Id>>>;
export type GatewayHandlers = { [Id in OwnedBy<'gateway'>]: Handler<Id> };

/** The answer to a call that has neither etag nor repetition. */
export const answered = <Body>(body: Body): Answer<Body> => ({ body, etag: null, replayed: false });
