import type { budget } from '@deja/admin-api';
import { BUDGET_PERIODS, DEGRADED_MODES, nanoUsd, usdText } from '@deja/contracts';
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { nothingTaken } from './removal.ts';

type Budget = z.output<typeof budget>;
/** What may follow the period. */
type Parts = Partial<Pick<Budget, 'mode' | 'time_zone' | 'model' | 'degraded'>>;
/** Takes away what is of its period, and of its mode, zone and model where it names them. */
interface Removal extends Partial<Pick<Budget, 'mode' | 'time_zone' | 'model'>> {
  usd: null;
  period: Budget['period'];
  /** As it was typed. */
  text: string;
}
/** One `--budget`. */
export type BudgetChange = Budget | Removal;

const EXAMPLES = '50/month, 12.50/day,soft, 5/day,zone=Europe/Zurich,model=gpt-4o or none/month';
const FORMS = `write for example ${EXAMPLES} (periods: ${BUDGET_PERIODS.join(', ')}; after it hard or soft, zone=, model=, degraded=)`;

/** `AMOUNT/PERIOD[,hard|soft][,zone=ZONE][,model=NAME][,degraded=MODE]`, the amount in US dollars or `none`. */
export function parseBudget(text: string): BudgetChange {
  // A comma ends a part only where another part begins: models may have some in their names.
  const [head = '', ...parts] = text.split(/,(?=(?:hard|soft)(?:,|$)|(?:zone|model|degraded)=)/);
  const match = /^(none|\$?[\d.]+)\/([a-z]+)$/.exec(head);
  const period = BUDGET_PERIODS.find((known) => known === match?.[2]);
  if (match === null || period === undefined) throw new InvalidArgumentError(FORMS);
  const said = Object.assign({}, ...parts.map(partOf)) as Parts;
  if (match[1] !== 'none') return { mode: 'hard', time_zone: 'UTC', ...said, usd: parseUsd(match[1] ?? ''), period };
  const { degraded, ...which } = said;
  if (degraded !== undefined) throw new InvalidArgumentError('write none/month without degraded=: it does not tell budgets apart');
  return { ...which, usd: null, period, text };
}

/**
 * The budgets with these changes made, in order: one takes the place of that with the same period, mode, zone and model. Throws a CliFailure where there
 * is nothing to take away: who typed it believes that a budget is gone.
 */
export function applyBudgets(current: readonly Budget[], changes: readonly BudgetChange[]): Budget[] {
  return changes.reduce<Budget[]>((budgets, change) => {
    if (change.usd !== null) return [...budgets.filter((other) => identity(other) !== identity(change)), change];
    const kept = budgets.filter((budget) => !isMeant(budget, change));
    if (kept.length === budgets.length) throw nothingTaken(change.text, budgets.map(budgetWords));
    return kept;
  }, [...current]);
}

/** As `parseBudget` reads it, without what goes without saying. */
export function budgetWords({ usd, period, mode, time_zone: zone, model, degraded }: Budget): string {
  const parts = [mode === 'soft' ? 'soft' : null, zone === 'UTC' ? null : `zone=${zone}`, model === undefined ? null : `model=${model}`, degraded === undefined ? null : `degraded=${degraded}`];
  return [`${usd}/${period}`, ...parts.filter((part) => part !== null)].join(',');
}

function partOf(part: string): Parts {
  if (part === 'hard' || part === 'soft') return { mode: part };
  const [name, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
  if (value === '') throw new InvalidArgumentError(FORMS);
  if (name === 'zone') return { time_zone: value };
  if (name === 'model') return { model: value };
  const degraded = DEGRADED_MODES.find((known) => known === value);
  if (degraded === undefined) throw new InvalidArgumentError(`write degraded=${DEGRADED_MODES.join(', degraded=')}`);
  return { degraded };
}

/** An amount in US dollars, as decimal text: `50`, `$12.50`. */
export function parseUsd(text: string): string {
  try {
    return usdText(nanoUsd(text.replace('$', '')));
  } catch {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is no amount in US dollars: write for example 50 or 12.50`);
  }
}

/** Apart from its amount, and from what becomes of it without Redis. */
const identity = ({ period, mode, time_zone: zone, model }: Budget): string => JSON.stringify([period, mode, zone.toLowerCase(), model]);

const isMeant = (budget: Budget, { period, mode = budget.mode, time_zone: zone = budget.time_zone, model = budget.model }: Removal): boolean =>
  identity(budget) === identity({ ...budget, period, mode, time_zone: zone, ...(model !== undefined && { model }) });
