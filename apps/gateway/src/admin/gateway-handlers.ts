import type { CacheAdmin } from '../cache/cache-admin.ts';
import type { Budgets } from './budgets/budgets.ts';
import type { Credentials } from './credentials/credentials.ts';
import type { Deployments } from './deployments/deployments.ts';
import { answered, type GatewayHandlers } from './operation-call.ts';
import type { PlanExplainer } from './plan/plan-explainer.ts';
import type { Vault } from './vault/vault.ts';

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

const idIn = (params: Record<string, string>): string => params['id'] ?? '';
