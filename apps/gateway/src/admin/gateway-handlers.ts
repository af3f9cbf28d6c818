import type { BodyOf, OperationId, OwnedBy, QueryOf, ReplyOf } from '@deja/admin-api';
import type { AdminChange } from '@deja/contracts';
import type { CacheAdmin } from '../cache/cache-admin.ts';
import type { Budgets } from './budgets/budgets.ts';
import type { Credentials } from './credentials/credentials.ts';
import type { Deployments } from './deployments/deployments.ts';
import type { PlanExplainer } from './plan/plan-explainer.ts';
import type { Vault } from './vault/vault.ts';

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

export interface GatewayParts {
  credentials: Credentials;
  vault: Vault;
  deployments: Deployments;
  plans: PlanExplainer;
  budgets: Budgets;
  cache: CacheAdmin;
}

/** Every operation that a gateway does itself, and which part of it does. */
export function gatewayHandlers({ credentials, vault, deployments, plans, budgets, cache }: GatewayParts): GatewayHandlers {
  return {
    createCredential: ({ body, change }) => credentials.create(body, change),
    listCredentials: ({ query, change }) => credentials.list(query, change.by),
    getCredential: ({ params, change }) => credentials.get(idIn(params), change.by),
    updateCredential: ({ params, body, change }) => credentials.update(idIn(params), body, change),
    rotateCredential: ({ params, body, change }) => credentials.rotate(idIn(params), body, change),
    deleteCredential: ({ params, change }) => credentials.delete(idIn(params), change),
    rewrapVault: ({ change }) => vault.rewrap(change),
    listDeployments: ({ query }) => deployments.list(query),
    getDeployment: ({ params }) => deployments.get(idIn(params)),
    drainDeployment: ({ params, change }) => deployments.drain(idIn(params), true, change),
    resumeDeployment: ({ params, change }) => deployments.drain(idIn(params), false, change),
    explainPlan: async ({ body }) => answered(await plans.answer(body)),
    listBudgets: ({ query, change }) => budgets.list(query, change.by),
    cacheStats: cache.stats,
    invalidateCache: cache.invalidate,
    cacheFeedback: cache.feedback,
  };
}

/** The answer to a call that has neither etag nor repetition. */
export const answered = <Body>(body: Body): Answer<Body> => ({ body, etag: null, replayed: false });

const idIn = (params: Record<string, string>): string => params['id'] ?? '';
