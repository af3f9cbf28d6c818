import { compared, SPIKES, usualOver, type Sensitivity, type Usual } from '../anomaly.ts';
import { tidyLabels } from '../labels.ts';
import type { ConditionInForce } from '../metric-defaults.ts';
import type { KeyUse } from './key-hours.ts';
import type { Measured } from './reading.ts';
import type { Reader, ReadingContext } from './reading-context.ts';
import { nameOf, type UsualOfKey } from './usual-hours.ts';

const HOUR_MS = 3_600_000;
const QUARTER_MS = 900_000;
/** Keys that are looked at, those that use most first. */
const MOST_KEYS = 20_000;

type Amounts = { tokens: number; cost: number };

const reader = (metric: keyof typeof SPIKES, what: keyof Amounts): Reader => async (condition, context) => {
  const withModel = condition.scope.model !== null;
  const { uses, parts } = await context.once(`spikes ${withModel}`, () => lastHour(withModel, context));
  const sensitivity: Sensitivity = { ...SPIKES[metric], ratio: Math.max(1, condition.above ?? 1) };
  return uses.filter((use) => isMeant(use, condition.scope)).map((use) => measured(use, parts.map(({ share, usual }) => ({ share, usual: usual.get(nameOf(use))?.[what] ?? null })), use[what], sensitivity));
};

/** Tokens that a key bought in the last hour, in multiples of what is usual at this hour of the week. */
export const tokenSpike = reader('token_spike', 'tokens');
/** What a key cost in the last hour, in multiples of what is usual at this hour of the week. */
export const costSpike = reader('cost_spike', 'cost');

function isMeant({ tenant, key, model }: KeyUse, scope: ConditionInForce['scope']): boolean {
  const fits = (value: string | null, wanted: string | null): boolean => wanted === null || wanted === '*' || wanted === value;
  return fits(tenant, scope.tenant) && fits(key, scope.key) && fits(model, scope.model);
}

function measured({ tenant, key, model }: KeyUse, parts: readonly { share: number; usual: Usual | null }[], amount: number, sensitivity: Sensitivity): Measured {
  const labels = tidyLabels({ tenant, key, model: model === '' ? null : model });
  // However little is usual, this is no spike.
  if (amount <= sensitivity.least) return { labels, value: 0, threshold: sensitivity.ratio };
  const usual = usualOver(parts);
  // A young key, or one that has used too little: nobody knows what is usual for it.
  return usual === null ? { labels, value: null } : { labels, ...compared(amount, usual, sensitivity) };
}

/** What keys used in the last three quarters and this one, and what is usual in the hours that these lie in. */
async function lastHour(withModel: boolean, { nowMs, pool, usualHours }: ReadingContext): Promise<{ uses: (KeyUse & Amounts)[]; parts: { share: number; usual: ReadonlyMap<string, UsualOfKey> }[] }> {
  const fromMs = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS - 3 * QUARTER_MS;
  const { rows: uses } = await pool.query<KeyUse & Amounts>(
    `select s.tenant, s.key, ${withModel ? `coalesce(s.model, '')` : 'null'} as model, sum(q.prompt_tokens + q.completion_tokens)::float8 as tokens, sum(q.cost_nano_usd)::float8 as cost
     from usage.rollup_quarters q join usage.series s on s.id = q.series
     where q.at >= $1 and s.cube = 'all' and s.key is not null
     group by 1, 2, 3 order by cost desc, tokens desc limit ${MOST_KEYS}`,
    [new Date(fromMs)],
  );
  const much = uses.filter(({ tokens, cost }) => tokens > SPIKES.token_spike.least || cost > SPIKES.cost_spike.least);
  await usualHours.make(nowMs);
  const hour = Math.floor(nowMs / HOUR_MS);
  const parts = [];
  for (const one of new Set([Math.floor(fromMs / HOUR_MS), hour])) {
    const share = (Math.min(nowMs, (one + 1) * HOUR_MS) - Math.max(fromMs, one * HOUR_MS)) / HOUR_MS;
    parts.push({ share, usual: await usualHours.of(much, one) });
  }
  // All that the next hour is measured by is over: it is there when that hour begins.
  await usualHours.of(much, hour + 1);
  return { uses, parts };
}
