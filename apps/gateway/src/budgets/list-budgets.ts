import type { KeyObject, QueryOf, ReplyOf, TenantObject } from '@deja/admin-api';
import { DejaError, usdText, type BudgetAccount } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { BudgetCeiling } from '../limits/ask.ts';
import { ceilingsOf, chosen, type AccountOwner, type BudgetSettings } from './budget-ceilings.ts';
import type { SpentSource } from './spent-source.ts';

type Query = QueryOf<'listBudgets'>;
type Reply = ReplyOf<'listBudgets'>;
type Shown = Reply['data'][number];

/** What the router has of tenants and keys, as the caller may see it: what is not theirs is `not_found`. */
export interface BudgetOwners {
  tenant(id: string): Promise<Pick<TenantObject, 'id' | 'budgets'>>;
  key(id: string): Promise<OwnBudgets>;
  /** One page. */
  keys(query: { tenant: string; limit: number; cursor: string | undefined }): Promise<{ data: OwnBudgets[]; has_more: boolean; next_cursor: string | null }>;
}
type OwnBudgets = Pick<KeyObject, 'id' | 'tenant' | 'budgets' | 'per_user'>;

interface Spending {
  spentNanoUsd: bigint;
  heldNanoUsd: bigint;
}

/** Keys whose budgets one answer shows; those of others are asked for by `key`. */
const MOST_KEYS = 1000;
const LEDGER_MS = 2000;

/** `GET budgets`: the budgets in force and what is used of them. */
export class BudgetList {
  constructor(
    private readonly redis: RedisClient,
    private readonly ledger: Pick<SpentSource, 'spent'>,
    private readonly settings: () => BudgetSettings,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Without a tenant or key, the global budgets. With a tenant its own and those of its keys; with a key the tenant's and that
   * key's; with a user also the user's. Rejects with what the caller is to be told.
   */
  async list(query: Query, owners: BudgetOwners): Promise<Reply> {
    const { ceilings, hasMore } = await this.inForce(query, owners);
    const spending = await this.spending(ceilings.map(({ account }) => account));
    return { object: 'list', data: ceilings.map((ceiling) => shown(ceiling, spending)), has_more: hasMore, next_cursor: null };
  }

  private async inForce({ tenant: asked, key: keyId, user }: Query, owners: BudgetOwners): Promise<{ ceilings: BudgetCeiling[]; hasMore: boolean }> {
    const settings = this.settings();
    const nowMs = this.now();
    const ceilings = (scope: BudgetCeiling['scope'], owner: AccountOwner, budgets: Parameters<typeof chosen>[0]): BudgetCeiling[] => ceilingsOf(scope, owner, budgets, settings.limits.degraded, nowMs);
    const key = keyId === undefined ? null : await owners.key(keyId);
    const id = asked ?? key?.tenant;
    if (key !== null && key.tenant !== id) throw new DejaError('not_found', `There is no key '${key.id}' of the tenant '${id ?? ''}'.`, { param: 'key' });
    if (id === undefined) {
      if (user !== undefined) throw new DejaError('invalid_value', "Users are a tenant's: name the tenant, or a key of it.", { param: 'user' });
      return { ceilings: ceilings('global', { tenant: null, clientKey: null, user: null }, settings.budgets.global), hasMore: false };
    }
    const tenant = await owners.tenant(id);
    const { keys, hasMore } = key === null ? await keysOf(id, owners) : { keys: [key], hasMore: false };
    const of = { tenant: id, clientKey: null, user: null };
    const perUser = keys.length === 0 ? [settings.budgets.per_user] : keys.map(({ per_user: own }) => chosen(own.budgets ?? [], settings.budgets.per_user));
    return {
      ceilings: [
        ...ceilings('tenant', of, chosen(tenant.budgets, settings.budgets.per_tenant)),
        ...keys.flatMap((one) => ceilings('key', { ...of, clientKey: one.id }, chosen(one.budgets, settings.budgets.per_key))),
        ...(user === undefined ? [] : distinct(perUser.flatMap((budgets) => ceilings('user', { ...of, user }, budgets)))),
      ],
      hasMore,
    };
  }

  /** By the name of the account. What Redis does not know was not used since it was lost or the period began: the ledger knows. */
  private async spending(accounts: BudgetAccount[]): Promise<Map<string, Spending>> {
    const distinctAccounts = [...new Map(accounts.map((account) => [account.key, account])).values()];
    try {
      const counters = await Promise.all(distinctAccounts.map(({ key }) => this.redis.hmget(key, 'spent', 'held')));
      const unknown = distinctAccounts.filter((_, index) => typeof counters[index]?.[0] !== 'string');
      const told = unknown.length === 0 ? [] : await this.ledger.spent(unknown, LEDGER_MS);
      const byLedger = new Map(unknown.map(({ key }, index) => [key, told[index]]));
      return new Map(distinctAccounts.map(({ key }, index) => [key, { spentNanoUsd: BigInt(counters[index]?.[0] ?? byLedger.get(key) ?? '0'), heldNanoUsd: BigInt(counters[index]?.[1] ?? '0') }]));
    } catch (cause) {
      throw new DejaError('overloaded', 'What was spent cannot be told at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
    }
  }
}

async function keysOf(tenant: string, owners: BudgetOwners): Promise<{ keys: OwnBudgets[]; hasMore: boolean }> {
  const keys: OwnBudgets[] = [];
  let cursor: string | undefined;
  do {
    const page = await owners.keys({ tenant, limit: MOST_KEYS - keys.length, cursor });
    keys.push(...page.data);
    cursor = page.has_more ? (page.next_cursor ?? undefined) : undefined;
  } while (cursor !== undefined && keys.length < MOST_KEYS);
  return { keys, hasMore: cursor !== undefined };
}

/** Keys that say the same of a user say it once. */
const distinct = (ceilings: BudgetCeiling[]): BudgetCeiling[] => [...new Map(ceilings.map((ceiling) => [`${ceiling.account.key} ${ceiling.budget.mode} ${ceiling.budget.usd}`, ceiling])).values()];

function shown({ scope, model, budget, limitNanoUsd, account }: BudgetCeiling, spending: Map<string, Spending>): Shown {
  const { spentNanoUsd, heldNanoUsd } = spending.get(account.key) ?? { spentNanoUsd: 0n, heldNanoUsd: 0n };
  const endless = account.toMs === null;
  return {
    object: 'budget',
    scope,
    tenant: account.tenant,
    key: account.clientKey,
    user: account.user,
    model,
    period: budget.period,
    time_zone: budget.time_zone,
    mode: budget.mode,
    usd: budget.usd,
    spent_usd: usdText(spentNanoUsd),
    held_usd: usdText(heldNanoUsd),
    used_share: limitNanoUsd === 0n ? 1 : Number(spentNanoUsd) / Number(limitNanoUsd),
    starts_at: endless ? null : new Date(account.fromMs).toISOString(),
    resets_at: account.toMs === null ? null : new Date(account.toMs).toISOString(),
  };
}
