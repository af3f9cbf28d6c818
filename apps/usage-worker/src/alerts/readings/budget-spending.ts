import { nanoUsd } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { spentOf } from '../../ledger/spend.ts';
import type { Spender, UserBudget } from './budgets-in-force.ts';

const QUARTER_MS = 900_000;
/** What is younger is asked for at every evaluation. */
const OPEN_MS = 4 * QUARTER_MS;
/** What is older hardly changes: events that come late, prices that are put right. It is read again after so long, and up to so much more, that not all are read at once. */
const KEPT_MS = 3_600_000;
/** Sums over the older part that are read in one evaluation: after a start, others follow in the next ones. */
const MOST_READ = 200;
const ACCOUNTS_AT_ONCE = 100;
/** How often all users of a period are looked at; between, those who spend. */
const SWEEP_MS = 600_000;
const MOST_USERS = 5000;

/** Sums over the older part of spans, by span. */
interface Closed {
  untilMs: number;
  nanoUsd: bigint;
  goodUntilMs: number;
  usedAtMs: number;
}

/** Users of a budget who have spent so much of it that an alert may be near. */
interface Swept {
  atMs: number;
  users: { tenant: string; user: string }[];
}

/** What is asked for. `isGrowing`: its end moves on with time, and it stays the same span. */
export type Span = Spender & { isGrowing?: boolean };

/**
 * What was spent, for alerts: every budget, again and again. A month of a busy key is thousands of rows, so the sum over its older part is kept for
 * an hour or two, and only what came since is read each time.
 */
export class BudgetSpending {
  private readonly pool: Pool;
  private readonly closed = new Map<string, Closed>();
  private readonly swept = new Map<string, Swept>();

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Nano-USD, in the order asked; null for what could not be read yet, as there is so much else to read. Rejects while Postgres is away. */
  async spent(spans: readonly Span[], nowMs: number): Promise<(bigint | null)[]> {
    const asked = spans.map((span) => ({ span, name: JSON.stringify([span.tenant, span.clientKey, span.user, span.model, span.fromMs, span.isGrowing === true ? 'now' : span.toMs]) }));
    await this.close(asked, nowMs);
    const known = asked.map(({ name }) => this.closed.get(name));
    const sums = known.map((closed) => closed?.nanoUsd ?? null);
    const open = spans.flatMap((span, i) => {
      const fromMs = known[i]?.untilMs;
      return fromMs === undefined || (span.toMs !== null && span.toMs <= fromMs) ? [] : [{ i, span: { ...span, fromMs } }];
    });
    const read = await this.read(open.map(({ span }) => span));
    open.forEach(({ i }, n) => (sums[i] = (sums[i] ?? 0n) + (read[n] ?? 0n)));
    return sums;
  }

  /** Reads the older parts of spans, first of those that were never read, then of those that were read long ago. */
  private async close(asked: readonly { span: Span; name: string }[], nowMs: number): Promise<void> {
    for (const { name } of asked) {
      const known = this.closed.get(name);
      if (known !== undefined) known.usedAtMs = nowMs;
    }
    for (const [name, { usedAtMs }] of this.closed) if (nowMs - usedAtMs > KEPT_MS) this.closed.delete(name);
    const boundaryMs = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS - OPEN_MS;
    const never = asked.filter(({ name }) => !this.closed.has(name));
    const stale = asked.filter(({ name }) => nowMs >= (this.closed.get(name)?.goodUntilMs ?? Infinity));
    const chosen = [...new Map([...never, ...stale].map((one) => [one.name, one])).values()].slice(0, MOST_READ);
    const older = chosen.map(({ span }) => ({ ...span, toMs: Math.max(span.fromMs, Math.min(boundaryMs, span.toMs ?? Infinity)) }));
    const sums = await this.read(older);
    chosen.forEach(({ name }, n) => {
      const untilMs = older[n]?.toMs ?? 0;
      this.closed.set(name, { untilMs, nanoUsd: sums[n] ?? 0n, goodUntilMs: nowMs + KEPT_MS * (1 + partOf(name)), usedAtMs: nowMs });
    });
  }

  /** Users who have spent `share` of this budget at least, or spend at the moment; others have no more than they had. */
  async usersOf(budget: UserBudget, share: number, nowMs: number): Promise<{ tenant: string; user: string }[]> {
    const swept = await this.sweep(budget, share, nowMs);
    const { rows } = await this.pool.query<{ tenant: string; user: string }>(
      `select distinct tenant, "user" from usage.spend where "user" is not null and at >= $1 and tenant = any($2) limit ${MOST_USERS}`,
      [new Date(Math.floor(nowMs / QUARTER_MS) * QUARTER_MS - QUARTER_MS), budget.tenants],
    );
    return [...new Map([...swept, ...rows].map((one) => [JSON.stringify([one.tenant, one.user]), one])).values()];
  }

  private async sweep({ budget, tenants, fromMs, toMs }: UserBudget, share: number, nowMs: number): Promise<Swept['users']> {
    const name = JSON.stringify([budget, tenants, fromMs, share]);
    const known = this.swept.get(name);
    if (known !== undefined && nowMs - known.atMs < SWEEP_MS) return known.users;
    const least = BigInt(Math.max(1, Math.floor(Number(nanoUsd(budget.usd)) * share)));
    const { rows } = await this.pool.query<{ tenant: string; user: string }>(
      `select tenant, "user" from usage.spend
       where "user" is not null and at >= $1 and ($2::timestamptz is null or at < $2) and tenant = any($3) and ($4::text is null or model = $4)
       group by tenant, "user" having sum(nano_usd) >= $5::numeric order by sum(nano_usd) desc limit ${MOST_USERS}`,
      [new Date(fromMs), toMs === null ? null : new Date(toMs), tenants, budget.model ?? null, least.toString()],
    );
    for (const [other, { atMs }] of this.swept) if (nowMs - atMs >= 2 * SWEEP_MS) this.swept.delete(other);
    this.swept.set(name, { atMs: nowMs, users: rows });
    return rows;
  }

  private async read(spans: readonly Spender[]): Promise<bigint[]> {
    const sums: bigint[] = [];
    for (let i = 0; i < spans.length; i += ACCOUNTS_AT_ONCE) {
      const some = spans.slice(i, i + ACCOUNTS_AT_ONCE).map((span) => ({ ...span, key: '' }));
      sums.push(...(await spentOf(this.pool, some)));
    }
    return sums;
  }
}

/** In [0, 1), the same for the same name (FNV-1a). */
function partOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}
