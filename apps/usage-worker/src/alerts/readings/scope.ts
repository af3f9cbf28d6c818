import type { AlertLabels } from '@deja/contracts';
import type { ConditionInForce } from '../metric-defaults.ts';

type Scope = ConditionInForce['scope'];
const SCOPED = ['tenant', 'key', 'model'] as const;

/** Whether what is always one thing's own is meant: `*` is each that has such a label, a name that one alone, null any. */
export const isInScope = (labels: AlertLabels, scope: Scope): boolean =>
  SCOPED.every((label) => scope[label] === null || (scope[label] === '*' ? labels[label] !== undefined : labels[label] === scope[label]));

/** Column of `usage.series s` by label. A request that nobody served is that of the model it asked for. */
const COLUMNS = { tenant: 's.tenant', key: 's.key', model: 'coalesce(s.model, s.requested_model)' } as const;

/** How sums are to be grouped for a scope, as SQL: each label that is not null has a column, and a name is a condition. `values` takes the names. */
export function grouping(scope: Scope, values: unknown[]): { labels: (typeof SCOPED)[number][]; columns: string[]; conditions: string[] } {
  const labels = SCOPED.filter((label) => scope[label] !== null);
  const conditions = labels.flatMap((label) => (scope[label] === '*' ? [] : [`${COLUMNS[label]} = $${values.push(scope[label])}`]));
  return { labels, columns: labels.map((label) => `${COLUMNS[label]} as ${label}`), conditions };
}
