import { tidyLabels } from '../labels.ts';
import type { Reader } from './reading-context.ts';
import { grouping } from './scope.ts';

const MOST_GROUPS = 20_000;

/** Requests of the window whose cost is not known, by provider and model. */
export const unknownPrice: Reader = (condition, { nowMs, pool, once }) =>
  once(JSON.stringify(['unknown_price', condition.scope, condition.windowMs]), async () => {
    const values: unknown[] = [new Date(nowMs - condition.windowMs)];
    // The model is always told: its price is what is missing.
    const { labels, columns, conditions } = grouping({ ...condition.scope, model: condition.scope.model ?? '*' }, values);
    const { rows } = await pool.query<Record<string, string | null>>(
      `select ${columns.join(', ')}, s.provider, sum(m.unpriced_requests)::text as unpriced
       from usage.rollup_minutes m join usage.series s on s.id = m.series
       where ${['m.at >= $1', `s.cube = 'all'`, 'm.unpriced_requests <> 0', ...conditions].join(' and ')}
       group by ${columns.map((_, i) => i + 1).join(', ')}, s.provider order by sum(m.unpriced_requests) desc limit ${MOST_GROUPS}`,
      values,
    );
    return rows.map((row) => ({ labels: tidyLabels({ ...Object.fromEntries(labels.map((label) => [label, row[label]])), provider: row['provider'] }), value: Number(row['unpriced']) }));
  });
