import { DejaError, type DejaErrorOptions } from '@deja/contracts';
import type { BudgetState, Ceiling, CeilingState, Measure, Scope } from './ask.ts';
import { MEASURES } from './measures.ts';
import type { RefusedBy } from './shard-verdict.ts';

/** 429, with the state of the ceilings for its headers. */
export class LimitRefusal extends DejaError {
  constructor(
    code: 'rate_limit_exceeded' | 'budget_exceeded',
    publicMessage: string,
    options: DejaErrorOptions,
    readonly states: readonly CeilingState[],
  ) {
    super(code, publicMessage, options);
  }
}

/** `waitMs`: until the request fits; below 0: it never does. */
export function refusalOf(by: RefusedBy, waitMs: number, states: readonly CeilingState[]): LimitRefusal {
  return 'budget' in by ? new LimitRefusal('budget_exceeded', budgetMessage(by.budget), {}, states) : limitRefusal(by.ceiling, by.measure, waitMs, states);
}

/** 503: something that must not be decided without Redis, or would not fit into this gateway's share of it. `retryAfterMs` spreads those who come again. */
export const undecidable = (what: 'Limits' | 'Budgets', retryAfterMs: number): DejaError =>
  new DejaError('overloaded', `${what} cannot be checked at the moment. Try again shortly.`, { retryAfterMs });

/** A running request may end at any moment: a second is when asking again is cheap for both sides. */
export const CONCURRENCY_RETRY_MS = 1000;

function limitRefusal(ceiling: Ceiling, measure: Measure, waitMs: number, states: readonly CeilingState[]): LimitRefusal {
  const limit = ceiling.limits[measure] ?? 0;
  const { counts, per } = MEASURES[measure];
  const whose = `of ${OWNER[ceiling.scope]}${forModel(ceiling.model)}`;
  const never = waitMs < 0;
  if (counts === 'concurrency') {
    const options = never ? { retry: false } : { retryAfterMs: CONCURRENCY_RETRY_MS };
    return new LimitRefusal('rate_limit_exceeded', `The limit of ${limit} concurrent requests ${whose} is reached.`, { type: 'requests', ...options }, states);
  }
  return never
    ? new LimitRefusal('rate_limit_exceeded', `This request alone needs more than the limit of ${limit} ${counts} per ${per} ${whose}.`, { type: counts, retry: false }, states)
    : new LimitRefusal('rate_limit_exceeded', `The limit of ${limit} ${counts} per ${per} ${whose} is used up.`, { type: counts, retryAfterMs: waitMs }, states);
}

function budgetMessage({ budget, spentNanoUsd, heldNanoUsd }: BudgetState): string {
  const { scope, model, limitNanoUsd, account, budget: { usd, period, time_zone: zone } } = budget;
  const what = `the budget of ${usd} USD ${PERIOD[period]} of ${OWNER[scope]}${forModel(model)}`;
  const resets = account.toMs === null ? 'It does not reset.' : `It resets at ${momentText(account.toMs)} (${PERIOD_START[period]} in ${zone}).`;
  if (spentNanoUsd >= limitNanoUsd) return `${capitalized(what)} is used up. ${resets}`;
  if (spentNanoUsd + heldNanoUsd >= limitNanoUsd) return `${capitalized(what)} is used up by requests under way. ${resets}`;
  return `This request may cost more than what is left of ${what}. ${resets}`;
}

const OWNER: Record<Scope, string> = { global: 'everybody together', tenant: 'this tenant', key: 'this key', user: 'this user' };
const PERIOD = { day: 'a day', week: 'a week', month: 'a month', total: 'in total' } as const;
const PERIOD_START = { day: 'midnight', week: 'Monday', month: 'the first of the month', total: '' } as const;

const forModel = (model: string | null): string => (model === null ? '' : ` for the model ${model}`);
const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const momentText = (atMs: number): string => new Date(atMs).toISOString().replace('.000Z', 'Z');
