import { budgetKey, nanoUsd, periodAt, type Budget, type BudgetAccount, type DegradedMode, type Principal, type ScopeLimits, type Settings } from '@deja/contracts';
import type { BudgetCeiling, Scope } from '../limits/ask.ts';

/** Whose spending an account counts; what is null counts all. */
export type AccountOwner = Pick<BudgetAccount, 'tenant' | 'clientKey' | 'user'>;
/** What of the settings says which budgets are in force. */
export type BudgetSettings = Pick<Settings, 'limits' | 'budgets'>;

/** One request's budgets by the Redis shard that has their accounts. Not to be changed: requests share them. */
export interface BudgetsOfRequest {
  tenant: BudgetCeiling[];
  global: BudgetCeiling[];
}

export interface AskedBudgets {
  principal: Principal;
  user: string | null;
  /** Counted name of the public model; null where the request is for none: budgets of single models do not hold then. */
  model: string | null;
  settings: BudgetSettings;
  receivedAtMs: number;
}

/** Budgets whose periods are known, and while they are. */
interface Current {
  settings: BudgetSettings;
  fromMs: number;
  untilMs: number;
  tenant: BudgetCeiling[];
  /** Without the user, who is another one each time. */
  user: BudgetCeiling[];
  global: BudgetCeiling[];
}

/** Requests of one key come by the thousand between two changes of its budgets or their periods. */
const current = new WeakMap<Principal, Current>();

/** The budgets that a request must fit into, in the periods that it was received in. Those of a tenant, key or user take the place of deja.yaml's. */
export function budgetsFor({ principal, user, model, settings, receivedAtMs }: AskedBudgets): BudgetsOfRequest {
  const known = current.get(principal);
  const holds = known !== undefined && known.settings === settings && known.fromMs <= receivedAtMs && receivedAtMs < known.untilMs;
  const now = holds ? known : currentBudgets(principal, settings, receivedAtMs);
  if (!holds) current.set(principal, now);
  const tenant = countedIn(now.tenant, model);
  const ofUser = user === null ? [] : countedIn(now.user, model).map((ceiling) => forUser(ceiling, user));
  return { tenant: ofUser.length === 0 ? tenant : [...tenant, ...ofUser], global: countedIn(now.global, model) };
}

function currentBudgets(principal: Principal, settings: BudgetSettings, atMs: number): Current {
  const { tenant, key, budgets: own, limits } = principal;
  const { budgets: usual } = settings;
  const ofTenant = { tenant, clientKey: null, user: null };
  const current = {
    tenant: [
      ...ceilingsOf('tenant', ofTenant, chosen(own.tenant, usual.per_tenant), degradedMode(settings, 'per_tenant', limits.tenant), atMs),
      ...ceilingsOf('key', { ...ofTenant, clientKey: key }, chosen(own.key, usual.per_key), degradedMode(settings, 'per_key', limits.key), atMs),
    ],
    user: ceilingsOf('user', ofTenant, chosen(own.perUser, usual.per_user), degradedMode(settings, 'per_user', limits.perUser), atMs),
    global: ceilingsOf('global', { tenant: null, clientKey: null, user: null }, usual.global, degradedMode(settings, 'global'), atMs),
  };
  const accounts = [...current.tenant, ...current.user, ...current.global].map(({ account }) => account);
  return { settings, fromMs: Math.max(0, ...accounts.map((account) => account.fromMs)), untilMs: Math.min(Infinity, ...accounts.map((account) => account.toMs ?? Infinity)), ...current };
}

/** Budgets of one owner in the periods that `atMs` falls into. */
export function ceilingsOf(scope: Scope, owner: AccountOwner, budgets: readonly Budget[], degraded: DegradedMode, atMs: number): BudgetCeiling[] {
  return budgets.map((budget): BudgetCeiling => {
    const model = budget.model ?? null;
    const account = accountOf(owner, model, periodAt(budget.period, budget.time_zone, atMs));
    return { scope, model, budget, limitNanoUsd: nanoUsd(budget.usd), account, degraded: budget.degraded ?? degraded };
  });
}

/** A budget of its own takes the place of all the usual ones. */
export const chosen = (own: readonly Budget[], usual: readonly Budget[]): readonly Budget[] => (own.length > 0 ? own : usual);

/** What becomes of a scope's budgets while Redis cannot be asked, unless they say so themselves. */
export function degradedMode({ limits }: BudgetSettings, usual: keyof BudgetSettings['budgets'], own?: ScopeLimits): DegradedMode {
  return own?.degraded ?? limits[usual].degraded ?? limits.degraded;
}

function countedIn(ceilings: BudgetCeiling[], model: string | null): BudgetCeiling[] {
  const counts = (ceiling: BudgetCeiling): boolean => ceiling.model === null || ceiling.model === model;
  return ceilings.every(counts) ? ceilings : ceilings.filter(counts);
}

function forUser(ceiling: BudgetCeiling, user: string): BudgetCeiling {
  const { tenant, model, fromMs, toMs } = ceiling.account;
  return { ...ceiling, account: accountOf({ tenant, clientKey: null, user }, model, { fromMs, toMs }) };
}

/**
 * An account's name says what it counts and nothing else: another amount, or a hard budget in place of a soft one, finds what was
 * spent already, and two budgets that count the same share one account.
 */
function accountOf({ tenant, clientKey, user }: AccountOwner, model: string | null, { fromMs, toMs }: Pick<BudgetAccount, 'fromMs' | 'toMs'>): BudgetAccount {
  const written = user === null ? null : asInLedger(user);
  const counted = model === null ? null : asInLedger(model);
  const who = written !== null ? `user:${encodeURIComponent(written)}` : clientKey !== null ? `key:${clientKey}` : tenant !== null ? 'tenant' : 'everybody';
  const what = counted === null ? 'all' : `model=${encodeURIComponent(counted)}`;
  return { key: budgetKey(shardOf({ tenant }), `${who}:${what}:${fromMs}-${toMs ?? ''}`), tenant, clientKey, user: written, model: counted, fromMs, toMs };
}

/** Postgres takes neither halves of surrogate pairs nor NUL: the ledger has U+FFFD in their place. */
const asInLedger = (text: string): string => text.toWellFormed().replaceAll('\0', '\u{fffd}');

/** Name of the Redis shard that has an account. */
export const shardOf = ({ tenant }: Pick<BudgetAccount, 'tenant'>): string => tenant ?? 'global';
