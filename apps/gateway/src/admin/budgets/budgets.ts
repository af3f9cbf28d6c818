import type { KeyObject, QueryOf, ReplyOf, TenantObject } from '@deja/admin-api';
import type { AdminActor, RouterRpc } from '@deja/contracts';
import type { BudgetList, BudgetOwners } from '../../budgets/list-budgets.ts';
import type { AppCalls } from '../app-calls.ts';
import { answered, type Answer } from '../operation-call.ts';

/** Budgets in force: what the router has of tenants and keys, asked for in the caller's name, and what was spent of it. */
export class Budgets {
  constructor(
    private readonly inForce: BudgetList['list'],
    private readonly router: AppCalls<RouterRpc>,
  ) {}

  /** Throws `not_found` for a tenant or key that is not the caller's to see. */
  async list(query: QueryOf<'listBudgets'>, by: AdminActor): Promise<Answer<ReplyOf<'listBudgets'>>> {
    return answered(await this.inForce(query, this.ownersSeenBy(by)));
  }

  private ownersSeenBy(by: AdminActor): BudgetOwners {
    const ask = async (operation: string, params: Record<string, string>, query: unknown): Promise<unknown> =>
      (await this.router.read('admin', { by, ifMatch: null, idempotency: null, operation, params, query, body: null, sealTo: null })).body;
    return {
      tenant: async (id) => (await ask('getTenant', { id }, null)) as TenantObject,
      key: async (id) => (await ask('getKey', { id }, null)) as KeyObject,
      // As it would stand in an address.
      keys: async ({ tenant, limit, cursor }) => (await ask('listKeys', {}, { tenant, limit: String(limit), ...(cursor !== undefined && { cursor }) })) as ReplyOf<'listKeys'>,
    };
  }
}
