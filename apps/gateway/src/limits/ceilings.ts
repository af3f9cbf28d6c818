import type { DegradedMode, Limits, Principal, ScopeLimits, Settings } from '@deja/contracts';
import { budgetsFor, degradedMode, type BudgetsOfRequest } from '../budgets/budget-ceilings.ts';
import type { Ceiling, Scope, Shard } from './ask.ts';
import { MEASURE_NAMES } from './measures.ts';

/** The shard of what counts everybody together. */
export const GLOBAL_SHARD = 'global';

export interface AskedLimits {
  principal: Principal;
  user: string | null;
  /** Counted name of the public model (`countedModel`); null where the request is for none: what counts single models does not hold then. */
  model: string | null;
  settings: Pick<Settings, 'limits' | 'budgets'>;
  receivedAtMs: number;
}

/** What was last worked out for a principal: its requests come by the thousand between two changes of its limits. */
interface Known {
  settings: AskedLimits['settings'];
  user: string | null;
  model: string | null;
  budgets: BudgetsOfRequest;
  shards: Shard[];
}

const known = new WeakMap<Principal, Known>();

/**
 * Every ceiling and budget that applies to this request, by the Redis shard that counts it, the tenant's before everybody's. What limits nothing is
 * left out. Not to be changed: requests share them.
 */
export function shardsFor(asked: AskedLimits): Shard[] {
  const { principal, user, model, settings } = asked;
  const budgets = budgetsFor(asked);
  const last = known.get(principal);
  const holds = last !== undefined && last.settings === settings && last.user === user && last.model === model && last.budgets.tenant === budgets.tenant && last.budgets.global === budgets.global;
  if (holds) return last.shards;
  const shards = shardsOf(asked, budgets);
  known.set(principal, { settings, user, model, budgets, shards });
  return shards;
}

function shardsOf({ principal: { tenant, key, limits: own }, user, model, settings }: AskedLimits, budgets: BudgetsOfRequest): Shard[] {
  const { limits: usual } = settings;
  const prefix = `deja:limits:{${tenant}}`;
  const ofTenant = [
    ...ceilingsOf('tenant', `${prefix}:tenant`, [usual.per_tenant, own.tenant], model, degradedMode(settings, 'per_tenant', own.tenant)),
    ...ceilingsOf('key', `${prefix}:key:${key}`, [usual.per_key, own.key], model, degradedMode(settings, 'per_key', own.key)),
    ...(user === null ? [] : ceilingsOf('user', `${prefix}:user:${nameInKey(user)}`, [usual.per_user, own.perUser], model, degradedMode(settings, 'per_user', own.perUser))),
  ];
  const ofAll = ceilingsOf('global', `deja:limits:{${GLOBAL_SHARD}}:all`, [usual.global], model, degradedMode(settings, 'global'));
  const shards: Shard[] = [
    { name: tenant, ceilings: ofTenant, budgets: budgets.tenant },
    { name: GLOBAL_SHARD, ceilings: ofAll, budgets: budgets.global },
  ];
  return shards.filter((shard) => shard.ceilings.length + shard.budgets.length > 0);
}

/** Those of one thing: of all models together, and of the one that is asked for. Later ones in `scoped` stand in place of earlier ones, measure by measure. */
function ceilingsOf(scope: Scope, counter: string, scoped: readonly ScopeLimits[], model: string | null, degraded: DegradedMode): Ceiling[] {
  const ceilings: Ceiling[] = [];
  const whole = merged(scoped);
  if (whole !== null) ceilings.push({ scope, model: null, counter, limits: whole, degraded });
  const ofModel = model === null ? null : merged(scoped.map(({ models }) => (models !== undefined && Object.hasOwn(models, model) ? models[model] : undefined)));
  if (model !== null && ofModel !== null) ceilings.push({ scope, model, counter: `${counter}:model:${nameInKey(model)}`, limits: ofModel, degraded });
  return ceilings;
}

/** null where none is set. */
function merged(all: readonly (Limits | undefined)[]): Limits | null {
  let set: Limits | null = null;
  for (const limits of all) {
    if (limits === undefined) continue;
    for (const measure of MEASURE_NAMES) {
      const limit = limits[measure];
      if (limit !== undefined && limit !== null) (set ??= {})[measure] = limit;
    }
  }
  return set;
}

/** Free text as part of a Redis key: what it contains cannot look like another key's end. */
const nameInKey = (text: string): string => encodeURIComponent(text.toWellFormed());
