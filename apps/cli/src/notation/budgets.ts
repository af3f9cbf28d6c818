import type { budget } from '@deja/admin-api';
import { BUDGET_PERIODS, DEGRADED_MODES, nanoUsd, usdText } from '@deja/contracts';
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';

type Budget = z.output<typeof budget>;
/** One `--budget`; `usd` null takes away the budget that is like it but for the amount. */
export type BudgetChange = Omit<Budget, 'usd'> & { usd: string | null };

const EXAMPLES = '50/month, 12.50/day,soft, 5/day,zone=Europe/Zurich,model=gpt-4o or none/month';
const FORMS = `write for example ${EXAMPLES} (periods: ${BUDGET_PERIODS.join(', ')}; after it hard or soft, zone=, model=, degraded=)`;

/** `AMOUNT/PERIOD[,hard|soft][,zone=ZONE][,model=NAME][,degraded=MODE]`, the amount in US dollars or `none`. */
export function parseBudget(text: string): BudgetChange {
  // A comma ends a part only where another part begins: models may have some in their names.
  const [head = '', ...parts] = text.split(/,(?=(?:hard|soft)(?:,|$)|(?:zone|model|degraded)=)/);
  const match = /^(none|\$?[\d.]+)\/([a-z]+)$/.exec(head);
  const period = BUDGET_PERIODS.find((known) => known === match?.[2]);
  if (match === null || period === undefined) throw new InvalidArgumentError(FORMS);
  return parts.reduce<BudgetChange>(withPart, { usd: match[1] === 'none' ? null : parseUsd(match[1] ?? ''), period, mode: 'hard', time_zone: 'UTC' });
}

/** The budgets with these changes made, in order: one takes the place of that with the same period, mode, zone and model. */
export function applyBudgets(current: readonly Budget[], changes: readonly BudgetChange[]): Budget[] {
  return changes.reduce<Budget[]>((budgets, change) => {
    const others = budgets.filter((other) => identity(other) !== identity(change));
    const { usd } = change;
    return usd === null ? others : [...others, { ...change, usd }];
  }, [...current]);
}

/** As `parseBudget` reads it, without what goes without saying. */
export function budgetWords({ usd, period, mode, time_zone: zone, model, degraded }: Budget): string {
  const parts = [mode === 'soft' ? 'soft' : null, zone === 'UTC' ? null : `zone=${zone}`, model === undefined ? null : `model=${model}`, degraded === undefined ? null : `degraded=${degraded}`];
  return [`${usd}/${period}`, ...parts.filter((part) => part !== null)].join(',');
}

function withPart(budget: BudgetChange, part: string): BudgetChange {
  if (part === 'hard' || part === 'soft') return { ...budget, mode: part };
  const [name, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
  if (value === '') throw new InvalidArgumentError(FORMS);
  if (name === 'zone') return { ...budget, time_zone: value };
  if (name === 'model') return { ...budget, model: value };
  const degraded = DEGRADED_MODES.find((known) => known === value);
  if (degraded === undefined) throw new InvalidArgumentError(`write degraded=${DEGRADED_MODES.join(', degraded=')}`);
  return { ...budget, degraded };
}

function parseUsd(text: string): string {
  try {
    return usdText(nanoUsd(text.replace('$', '')));
  } catch {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is no amount in US dollars: write for example 50 or 12.50`);
  }
}

/** Apart from its amount, and from what becomes of it without Redis. */
const identity = ({ period, mode, time_zone: zone, model }: BudgetChange): string => JSON.stringify([period, mode, zone.toLowerCase(), model]);
