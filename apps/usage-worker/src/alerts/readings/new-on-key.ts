import { tidyLabels } from '../labels.ts';
import { isInScope } from './scope.ts';
import type { Reader } from './reading-context.ts';

/** A key that is younger is new itself: everything on it is. */
const COLD_MS = 86_400_000;
const MOST_NEW = 20_000;

/** What the keys that are old enough have in the window for the first time. A key's first series is the beginning of it. */
const firsts = (what: 'model' | 'user', earlier: string): string => `
  select n.tenant, n.key, n."${what}"
  from (
    select s.tenant, s.key, s."${what}", min(s.first_at) as first_at
    from usage.series s
    where s.first_at >= $1 and s.key is not null and s."${what}" is not null and s.cube = '${what === 'model' ? 'all' : 'user'}'
    group by 1, 2, 3
  ) n
  where (select min(k.first_at) from usage.series k where k.tenant = n.tenant and k.key = n.key) < n.first_at - $2 * interval '1 ms'
    and not exists (select from usage.series e where e.tenant = n.tenant and e.key = n.key and e.first_at < $1 and ${earlier})
  limit ${MOST_NEW}`;

const NEW_MODELS = firsts('model', `e.cube = 'all' and e.model = n.model`);
const NEW_USERS = firsts('user', `e.cube = 'user' and hashtextextended(e."user", 0) = hashtextextended(n."user", 0) and e."user" = n."user"`);

const reader = (what: 'model' | 'user', text: string): Reader => async (condition, { nowMs, pool, once }) => {
  const found = await once(`new ${what} ${condition.windowMs}`, async () => {
    const { rows } = await pool.query<Record<string, string>>(text, [new Date(nowMs - condition.windowMs), COLD_MS]);
    return rows.map((row) => tidyLabels(row));
  });
  return found.filter((labels) => isInScope(labels, condition.scope)).map((labels) => ({ labels, value: 1 }));
};

/** 1 for each model that served a key for the first time within the window. */
export const newModel = reader('model', NEW_MODELS);
/** 1 for each end user that a key had for the first time within the window. */
export const newUser = reader('user', NEW_USERS);
