import type { AlertLabels } from '@deja/contracts';
import { BUCKETS } from '../../rollups/latency-buckets.ts';
import { tidyLabels } from '../labels.ts';
import type { ConditionInForce } from '../metric-defaults.ts';
import type { ReadingContext } from './reading-context.ts';
import { grouping } from './scope.ts';

/** What was asked in a window, of one group. */
export interface WindowSum {
  labels: AlertLabels;
  requests: number;
  errors: number;
  /** Operations by duration, as rollups/latency-buckets.ts has them; empty where they were not asked for. */
  latencies: number[];
}

const MINUTE_MS = 60_000;
const QUARTER_MS = 900_000;
/** Longer windows are of quarters of an hour: fewer rows, kept for longer. */
const LONGEST_OF_MINUTES_MS = 6 * 3_600_000;
/** Groups of one question, those with the most requests first: more cannot be told anyway. */
const MOST_GROUPS = 20_000;

const LATENCIES = `array[${Array.from({ length: BUCKETS }, (_, i) => `coalesce(sum(m.l${String(i).padStart(2, '0')}), 0)`).join(', ')}]::float8[]`;

/** Sums of the window's requests by the labels of the scope; one sum of all where it names none, also where there was no request. */
export function windowSums({ scope, windowMs }: Pick<ConditionInForce, 'scope' | 'windowMs'>, withLatencies: boolean, context: ReadingContext): Promise<WindowSum[]> {
  const { nowMs, pool } = context;
  return context.once(JSON.stringify(['window', scope, windowMs, withLatencies]), async () => {
    const ofMinutes = windowMs <= LONGEST_OF_MINUTES_MS;
    const grain = ofMinutes ? MINUTE_MS : QUARTER_MS;
    const values: unknown[] = [new Date(Math.floor((nowMs - windowMs) / grain) * grain)];
    const { labels, columns, conditions } = grouping(scope, values);
    const { rows } = await pool.query<Record<string, unknown>>(
      `select ${[...columns, 'coalesce(sum(m.requests), 0)::float8 as requests', 'coalesce(sum(m.errors), 0)::float8 as errors', `${withLatencies ? LATENCIES : `'{}'::float8[]`} as latencies`].join(', ')}
       from usage.${ofMinutes ? 'rollup_minutes' : 'rollup_quarters'} m join usage.series s on s.id = m.series
       where ${['m.at >= $1', `s.cube = 'all'`, ...conditions].join(' and ')}
       ${columns.length === 0 ? '' : `group by ${columns.map((_, i) => i + 1).join(', ')} order by requests desc limit ${MOST_GROUPS}`}`,
      values,
    );
    return rows.map((row) => ({
      labels: tidyLabels(Object.fromEntries(labels.map((label) => [label, row[label] as string | null]))),
      requests: Number(row['requests']), errors: Number(row['errors']), latencies: row['latencies'] as number[],
    }));
  });
}
