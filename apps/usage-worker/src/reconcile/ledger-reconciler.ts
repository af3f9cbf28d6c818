import type { Pool, PoolClient } from '@deja/postgres';
import { isUp, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { beginningOf } from '../rollups/grains.ts';
import type { DriftMetrics } from './drift-metrics.ts';
import { readGateways } from './gateways.ts';
import { addOperations, heldOperations, type ByQuarter } from './on-the-way.ts';
import { differingSums, recordedBySums, recordedRows } from './recorded.ts';
import {
  acceptedByQuarter, COMPARED_MS, differencesOf, dueQuarters, keepAccepted, keepCompared, keepSums, knownQuarters, watchQuarter, type ComparedQuarter, type Differences,
} from './reconciliation-table.ts';
import { isCounted, verdictOf } from './verdict.ts';

export interface LedgerReconcilerParts {
  redis: RedisClient;
  /** Of its own: what is heavy here must not keep events waiting. */
  pool: Pool;
  /** Events on the usage queue, as they came; null where nobody knows. */
  queued: () => Promise<unknown[] | null>;
  metrics: DriftMetrics;
  logger: Pick<Logger, 'info' | 'warn'>;
  now?: () => number;
}

/** How often it compares; and how soon after another replica did nobody need do it again. */
export const LEDGER_RECONCILE_INTERVAL_MS = 60_000;
const JUST_DONE_MS = 45_000;
const QUARTER_MS = 15 * 60_000;
/** How long after its end a quarter is compared. */
const SETTLING_MS = 120_000;
/** Quarters whose sums are looked at in one round: two days within an hour or so. */
const SUMS_A_ROUND = 3;
const TRY_LOCK = `select pg_try_advisory_lock(hashtext('deja.usage.reconcile')) as mine`;
const UNLOCK = `select pg_advisory_unlock(hashtext('deja.usage.reconcile'))`;

/**
 * Compares what gateways accepted with what is in the ledger or on its way there, and the ledger's sums with its rows. It changes nothing but what it says of them
 * (`usage.reconciliation`). Any number of replicas may: one at a time does it, and all tell of what was found.
 */
export class LedgerReconciler {
  private readonly parts: LedgerReconcilerParts;

  constructor(parts: LedgerReconcilerParts) {
    this.parts = parts;
  }

  /** One round, if no other replica is at it or has just been. Rejects when Redis or Postgres fails; the next round begins anew. */
  async reconcile(): Promise<void> {
    const { redis, pool, metrics, now = Date.now } = this.parts;
    if (!isUp(redis)) return;
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      const { rows } = await client.query<{ mine: boolean }>(TRY_LOCK);
      if (rows[0]?.mine === true) {
        await this.round(client, now());
        await client.query(UNLOCK);
      }
      metrics.differences = (await differencesOf(client, now())) ?? metrics.differences;
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error)); // the lock goes with the connection
      throw error;
    } finally {
      client.release(broken);
    }
  }

  private async round(client: PoolClient, nowMs: number): Promise<void> {
    const before = await differencesOf(client, nowMs);
    if (before !== null && before.atMs <= nowMs && before.atMs > nowMs - JUST_DONE_MS) return;
    await this.compare(client, nowMs);
    for (const quarterMs of await dueQuarters(client, nowMs, endedBefore(nowMs), SUMS_A_ROUND)) await keepSums(client, quarterMs, await differingSums(client, quarterMs), nowMs);
    this.tell(before, await differencesOf(client, nowMs));
  }

  private async compare(client: PoolClient, nowMs: number): Promise<void> {
    const { accepted, spooled, uncounted } = await readGateways(this.parts.redis);
    const [fromMs, toMs] = [beginningOf('quarters', nowMs - COMPARED_MS) + QUARTER_MS, endedBefore(nowMs)];
    await keepAccepted(client, accepted.filter(({ quarterMs }) => quarterMs >= fromMs));
    await watchQuarter(client, beginningOf('quarters', nowMs), { nowMs, uncounted });
    const [acceptedOf, bySums, known] = [await acceptedByQuarter(client, fromMs, toMs), await recordedBySums(client, fromMs, toMs), await knownQuarters(client, fromMs)];
    const quarters = Array.from({ length: (toMs - fromMs) / QUARTER_MS }, (_, i) => fromMs + i * QUARTER_MS);
    const isShort = quarters.some((atMs) => (acceptedOf.get(atMs) ?? 0) > (bySums.get(atMs) ?? 0));
    // Before the rows are counted: what moves on meanwhile is in both rather than in neither.
    const onTheWay = isShort ? await this.onTheWay(spooled) : new Map<number, number>();
    const compared: ComparedQuarter[] = [];
    for (const atMs of quarters) {
      const acceptedOperations = acceptedOf.get(atMs) ?? 0;
      const summed = bySums.get(atMs) ?? 0;
      const recorded = summed === acceptedOperations ? summed : await recordedRows(client, atMs);
      const quarter = known.get(atMs) ?? { atMs, watchedFromMs: null, uncounted: false, seenMissing: 0, seenSurplus: 0 };
      const facts = { accepted: acceptedOperations, recorded, onTheWay: onTheWay === null ? null : (onTheWay.get(atMs) ?? 0), isCounted: isCounted(quarter), before: quarter };
      compared.push({ atMs, accepted: acceptedOperations, recorded, ...verdictOf(facts) });
    }
    await keepCompared(client, compared, nowMs);
  }

  private async onTheWay(spooled: ByQuarter): Promise<ByQuarter | null> {
    const held = await heldOperations(this.parts.redis);
    const queued = await this.parts.queued();
    if (held === null || queued === null) return null;
    addOperations(held, queued);
    for (const [quarterMs, count] of spooled) held.set(quarterMs, (held.get(quarterMs) ?? 0) + count);
    return held;
  }

  /** Once for each change. */
  private tell(before: Differences | null, now: Differences | null): void {
    const { missing, surplus, sumsDiffer } = now ?? { missing: 0, surplus: 0, sumsDiffer: 0 };
    if (missing === (before?.missing ?? 0) && surplus === (before?.surplus ?? 0) && sumsDiffer === (before?.sumsDiffer ?? 0)) return;
    const fields = { missing, surplus, sums_differ: sumsDiffer };
    if (missing + surplus + sumsDiffer > 0) this.parts.logger.warn(fields, 'the ledger is not what gateways accepted, or its sums are not those of its rows');
    else this.parts.logger.info(fields, 'the ledger is what gateways accepted, and its sums are those of its rows, again');
  }
}

/** The end of the last quarter that is compared, Unix ms. */
const endedBefore = (nowMs: number): number => beginningOf('quarters', nowMs - SETTLING_MS);
