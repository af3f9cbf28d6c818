import { compared, SPIKES, usualAt, usualOver, type Sensitivity, type Usual } from '../anomaly.ts';
import { tidyLabels } from '../labels.ts';
import type { ConditionInForce } from '../metric-defaults.ts';
import type { KeyHours, KeyUse } from './key-hours.ts';
import type { Measured } from './reading.ts';
import type { Reader, ReadingContext } from './reading-context.ts';

const HOUR_MS = 3_600_000;
const QUARTER_MS = 900_000;
/** Whose eight weeks are read in one evaluation, for each hour: others follow in the next ones. */
const KEYS_AT_ONCE = 100;
/** Keys that are looked at, those that use most first. */
const MOST_KEYS = 20_000;

type Amounts = { tokens: number; cost: number };
type UsualOfKey = { tokens: Usual | null; cost: Usual | null };

/** What is usual for keys in an hour: computed once, because the weeks before do not change. */
export class UsualHours {
  private readonly keyHours: KeyHours;
  private readonly known = new Map<number, Map<string, UsualOfKey>>();

  constructor(keyHours: KeyHours) {
    this.keyHours = keyHours;
  }

  /** By name of the use; absent where it was not computed yet: some are at each call. Rejects while Postgres is away. */
  async of(uses: readonly KeyUse[], hour: number): Promise<ReadonlyMap<string, UsualOfKey>> {
    for (const past of this.known.keys()) if (past < hour - 2) this.known.delete(past);
    const known = this.known.get(hour) ?? new Map<string, UsualOfKey>();
    this.known.set(hour, known);
    const fresh = uses.filter((use) => !known.has(nameOf(use))).slice(0, KEYS_AT_ONCE);
    if (fresh.length === 0) return known;
    const histories = new Map((await this.keyHours.histories(fresh, hour)).map((history) => [nameOf(history), history]));
    for (const use of fresh) {
      const history = histories.get(nameOf(use));
      known.set(nameOf(use), { tokens: history ? usualAt(history.tokens, hour) : null, cost: history ? usualAt(history.cost, hour) : null });
    }
    return known;
  }

  /** Makes the hours that are over, of which the others are read. */
  async make(nowMs: number): Promise<void> {
    await this.keyHours.make(nowMs);
  }
}

const nameOf = ({ tenant, key, model }: KeyUse): string => JSON.stringify([tenant, key, model]);

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
