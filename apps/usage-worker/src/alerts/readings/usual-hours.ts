import { usualAt, type Usual } from '../anomaly.ts';
import type { KeyHours, KeyUse } from './key-hours.ts';

/** Whose eight weeks are read in one evaluation, for each hour: others follow in the next ones. */
const KEYS_AT_ONCE = 100;

export type UsualOfKey = { tokens: Usual | null; cost: Usual | null };

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

/** Tells uses apart. */
export const nameOf = ({ tenant, key, model }: KeyUse): string => JSON.stringify([tenant, key, model]);
