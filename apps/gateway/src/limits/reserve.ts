import type { BudgetAccount, DegradedMode } from '@deja/contracts';
import { openPipeline, queueScript, scriptReply, type RedisClient, type ScriptCall } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { AcceptedCounts } from '../settle/accepted.ts';
import type { BudgetCeiling, BudgetState, Ceiling, Charge, Shard } from './ask.ts';
import { FreedSoon } from './freed-soon.ts';
import type { Growing } from './held.ts';
import { inTime } from './in-time.ts';
import type { Leases } from './leases.ts';
import type { DecidedBy, DecisionOutcome, LimitMetrics } from './limit-metrics.ts';
import { LocalShare } from './local-share.ts';
import type { RedisWatch } from './redis-watch.ts';
import { refusalOf, undecidable } from './refusal.ts';
import { Reservation, type Actual } from './reservation.ts';
import { readApart, roundTrip, type Asked, type RoundTripReply } from './round-trip.ts';
import type { RefusedBy } from './shard-verdict.ts';
import type { LimitShards, ShardAsk, ShardVerdict } from './shards.ts';

export type { Actual, Reservation } from './reservation.ts';

const MOST_HEARD = 10_000;
/** The ledger has so long to say what was spent of budgets that Redis does not know. */
const SPENT_MS = 300;

export interface ReserveRequest extends Asked {
  /** What applies to it, by Redis shard (`shardsFor`). */
  shards: Shard[];
  charge: Charge;
  /** Of streams that outgrow their reservation. */
  growing?: Growing;
}

export interface Reserved {
  /** To be settled on every exit. */
  reservation: Reservation;
  /** What the exact cache has at each of the asked places; empty when it could not be asked. */
  exact: (Buffer | null)[];
  semanticPresent: boolean;
  /** The newest revision of the tenant's settings and keys; null where it is not known. */
  tenantRevision: number | null;
  /** Redis could not be asked: the opening is not recorded there, and the cache was not read. */
  degraded: boolean;
}

export interface ReserverParts {
  redis: RedisClient;
  /** Where cached answers are; the same connection unless they have a Redis of their own. */
  cache: RedisClient;
  instance: string;
  accepted: AcceptedCounts;
  limits: LimitShards;
  watch: RedisWatch;
  leases: Leases;
  metrics: LimitMetrics;
  /** What the ledger says was spent (SpentSource); rejects where nobody says it within the deadline. */
  ledger: { spent(accounts: readonly BudgetAccount[], deadlineMs: number): Promise<string[]> };
  /** Who watches over budgets: how Redis says that they stand, and which it did not know until now. */
  budgets: { saw(states: readonly BudgetState[]): void; seeded(accounts: readonly BudgetAccount[]): void };
  /** Live gateway replicas, for the local share of a limit. */
  replicas: () => number;
  /** How long Redis may take to answer, ms. */
  deadlineMs: number;
  now: () => number;
  /** In [0, 1). */
  random: () => number;
  logger: Pick<Logger, 'error'>;
}

/** Decides every limit and budget of a request, in Redis or, where that does not answer in time, by their degraded modes. */
export class Reserver {
  private readonly local = new LocalShare();
  /** Tenants whose revision Redis had when it was asked last. */
  private readonly heard = new Set<string>();
  private readonly deadlineMs: number;
  private readonly freedSoon: FreedSoon;

  constructor(private readonly parts: ReserverParts) {
    this.freedSoon = new FreedSoon(parts);
    this.deadlineMs = parts.deadlineMs;
    parts.watch.recovered((shard) => {
      this.local.redisDecides(shard);
      void parts.leases.renew(); // what runs already and was admitted without Redis counts there from now on
    });
    parts.metrics.watch(() => parts.watch.isDegraded);
  }

  /** Throws `LimitRefusal`, or `overloaded` where something must not be decided without Redis. Nothing stays charged then. */
  async reserve(request: ReserveRequest): Promise<Reserved> {
    const { limits, cache, redis } = this.parts;
    const reservation = new Reservation(request.charge, request.shards, limits, request.growing);
    const apart = cache === redis ? null : readApart(cache, request.exactKeys, this.deadlineMs);
    try {
      const [first, ...others] = limits.asks(request.shards, request.charge);
      const opened = await this.open(request, reservation, first);
      const alone: Shard[] = [];
      if (first !== undefined) alone.push(...(await this.follow(reservation, first, opened?.verdict ?? null)));
      for (const ask of others) alone.push(...(await this.follow(reservation, ask, opened === null ? null : await this.ask(reservation, ask, []))));
      const by = this.decideAlone(alone, request.charge);
      if (request.shards.length > 0) this.decided('admitted', by);
      this.local.begun(ceilingsOf(request.shards));
      this.lease(reservation);
      const { reply } = opened ?? { reply: null };
      // What it waited for may have been the very answer that it asks for: written together with the place that became free.
      const exact = reservation.waited ? readApart(cache, request.exactKeys, this.deadlineMs) : (apart ?? reply?.exact ?? []);
      return {
        reservation,
        exact: await exact,
        semanticPresent: reservation.waited ? request.presenceKey !== null : (reply?.semanticPresent ?? false),
        tenantRevision: reply?.tenantRevision ?? null,
        degraded: reply?.recorded !== true,
      };
    } catch (error) {
      this.local.released(request.charge.operation);
      this.parts.leases.remove(request.charge.operation);
      const back = reservation.release();
      if (back.length > 0) await inTime(this.run(back), this.deadlineMs);
      throw error;
    }
  }

  /** To be written at settlement, on every exit and also where nothing can be written; the second time there is nothing. Losing it to an outage leaves the rest to the lease. */
  settlement(reservation: Reservation, actual: Actual): ScriptCall[] {
    const { operation } = reservation.charge;
    if (reservation.isOver) return [];
    this.parts.leases.remove(operation);
    this.local.settled(operation, actual);
    this.local.ended(ceilingsOf(reservation.shards));
    return reservation.settle(actual);
  }

  /** The first question goes with everything else that is to be known. null: Redis did not answer in time, or is not asked at the moment. */
  private async open(request: ReserveRequest, reservation: Reservation, ask: ShardAsk | undefined): Promise<{ reply: RoundTripReply; verdict: ShardVerdict | null } | null> {
    const { redis, limits, watch, instance, accepted, cache } = this.parts;
    const shard = ask === undefined ? request.open.tenant : nameOf(ask);
    if (!watch.mayAsk(shard)) return null;
    const trip = roundTrip(redis, request, ask === undefined ? null : limits.reserveCall(ask), { instance, accepted, readsCache: cache === redis })
      .then((reply) => ({ reply, verdict: ask === undefined ? null : limits.read(ask, reply.limits) }));
    const opened = await inTime(this.told(trip), this.deadlineMs, (late) => void this.late(reservation, late?.verdict ?? null, request, late?.reply));
    if (opened === null) watch.troubled(shard);
    else this.noticeLoss(request.open.tenant, opened.reply.tenantRevision);
    if (opened !== null) await request.quotas?.decided(opened.reply.quotas);
    return opened;
  }

  /**
   * A Redis that was emptied behind an open connection no longer has what it had: what runs is entered again before anything else is asked.
   * Commands of one connection keep their order, so that what is asked after this is decided with it.
   */
  private noticeLoss(tenant: string, revision: number | null): void {
    if (revision !== null) {
      if (this.heard.size >= MOST_HEARD) this.heard.clear();
      this.heard.add(tenant);
    } else if (this.heard.delete(tenant)) void this.parts.leases.renew();
  }

  /** A question by itself. null: as for `open`. */
  private async ask(reservation: Reservation, ask: ShardAsk, seeds: ScriptCall[]): Promise<ShardVerdict | null> {
    const { limits, watch } = this.parts;
    if (!watch.mayAsk(nameOf(ask))) return null;
    const asked = this.run(seeds).then(() => this.run([limits.reserveCall(ask)])).then(([reply]) => limits.read(ask, reply));
    const verdict = await inTime(this.told(asked), this.deadlineMs, (late) => void this.late(reservation, late));
    if (verdict === null) watch.troubled(nameOf(ask));
    return verdict;
  }

  /** As `ask`. Without an answer it may be charged all the same. */
  private async askAgain(reservation: Reservation, ask: ShardAsk): Promise<ShardVerdict | null> {
    const verdict = await this.ask(reservation, ask, []);
    if (verdict === null) reservation.assume(ask);
    return verdict;
  }

  /** Takes a verdict in, and returns what is left to be decided without Redis. Throws where it refuses. */
  private async follow(reservation: Reservation, ask: ShardAsk, first: ShardVerdict | null): Promise<Shard[]> {
    if (first === null) {
      reservation.assume(ask);
      return ask.shards;
    }
    const verdict = first.kind === 'refused' ? await this.freedSoon.verdict(first, () => this.askAgain(reservation, ask)) : first;
    if (first.kind === 'refused' && verdict.kind !== 'refused') reservation.waited = true;
    if (verdict.kind === 'unseeded') return await this.seed(reservation, ask, verdict.budgets);
    this.take(reservation, verdict);
    return [];
  }

  /** Tells Redis what the ledger knows of these budgets, and asks again; where nobody knows, for all but these. */
  private async seed(reservation: Reservation, ask: ShardAsk, budgets: BudgetCeiling[]): Promise<Shard[]> {
    const { limits, ledger } = this.parts;
    const accounts = budgets.map(({ account }) => account);
    const spentNanoUsd = await ledger.spent(accounts, SPENT_MS).catch(() => null);
    if (spentNanoUsd !== null) this.parts.budgets.seeded(accounts);
    const seeds = spentNanoUsd === null ? [] : limits.seedCalls(budgets.map(({ account }, i) => ({ account, spentNanoUsd: spentNanoUsd[i] ?? '0' })));
    const unknown = new Set(spentNanoUsd === null ? budgets.map(({ account }) => account.key) : []);
    const isKnown = ({ account }: BudgetCeiling): boolean => !unknown.has(account.key);
    const alone = ask.shards.map((shard): Shard => ({ ...shard, ceilings: [], budgets: shard.budgets.filter((budget) => !isKnown(budget)) }));
    for (const again of limits.asks(ask.shards.map((shard) => ({ ...shard, budgets: shard.budgets.filter(isKnown) })), reservation.charge)) {
      const verdict = await this.ask(reservation, again, seeds);
      if (verdict === null) reservation.assume(again);
      if (verdict === null || verdict.kind === 'unseeded') alone.push(...again.shards); // the latter: lost again between seed and question
      else this.take(reservation, verdict);
    }
    return alone;
  }

  private take(reservation: Reservation, verdict: Exclude<ShardVerdict, { kind: 'unseeded' }>): void {
    reservation.states.push(...verdict.ceilings);
    reservation.budgets.push(...verdict.budgets);
    this.local.saw(verdict.budgets);
    if (verdict.budgets.length > 0) this.parts.budgets.saw(verdict.budgets);
    if (verdict.kind === 'admitted') {
      reservation.add(verdict.held);
      return;
    }
    this.refused(verdict.by, 'redis');
    throw refusalOf(verdict.by, verdict.waitMs, reservation.states);
  }

  /** Each ceiling and budget by its own mode. Says which of them decided; throws where one refuses. */
  private decideAlone(shards: Shard[], charge: Charge): DecidedBy {
    const { replicas, now, random } = this.parts;
    const all = shards.flatMap((shard): { degraded: DegradedMode }[] => [...shard.ceilings, ...shard.budgets]);
    if (all.length === 0) return 'redis';
    const retryAfterMs = Math.round(1000 * (1 + random()));
    const closed = all.find(({ degraded }) => degraded === 'closed');
    if (closed !== undefined) {
      this.decided('undecidable', 'closed');
      throw undecidable('limits' in closed ? 'Limits' : 'Budgets', retryAfterMs);
    }
    const shared = shards.map((shard) => ({ ...shard, ceilings: shard.ceilings.filter(isShared), budgets: shard.budgets.filter(isShared) }));
    const verdict = this.local.admit(shared, charge, now(), replicas());
    if (verdict.kind === 'admitted') return all.some(isShared) ? 'local_share' : 'open';
    if (verdict.kind === 'share_used') this.decided('undecidable', 'local_share');
    else this.refused(verdict.by, 'local_share');
    throw verdict.kind === 'share_used' ? undecidable('Budgets', retryAfterMs) : refusalOf(verdict.by, verdict.waitMs, []);
  }

  /** An answer to which nobody listened any more; null: there will be none. Never rejects: what it cannot put right ends with its lease. */
  private async late(reservation: Reservation, verdict: ShardVerdict | null, request?: ReserveRequest, reply?: RoundTripReply): Promise<void> {
    if (reply !== undefined || verdict !== null) this.parts.metrics.answeredLate();
    try {
      if (reply !== undefined) await request?.quotas?.decided(reply.quotas);
      const calls = verdict === null ? reservation.unanswered() : verdict.kind === 'admitted' ? reservation.add(verdict.held) : [];
      if (!reservation.isOver) this.lease(reservation);
      else await this.run([...calls, ...(request?.quotas?.settlement() ?? [])]);
    } catch (error) {
      this.tell(error);
    }
  }

  private lease({ held, growing }: Reservation): void {
    if (held !== null) this.parts.leases.add(held, growing);
  }

  private refused(refusing: RefusedBy, by: DecidedBy): void {
    this.decided('budget' in refusing ? 'over_budget' : 'rate_limited', by);
    this.parts.metrics.refused(refusing);
  }

  private decided(outcome: DecisionOutcome, by: DecidedBy): void {
    this.parts.metrics.decided(outcome, by);
  }

  private async run(calls: ScriptCall[]): Promise<unknown[]> {
    if (calls.length === 0) return [];
    const pipeline = openPipeline(this.parts.redis);
    for (const call of calls) queueScript(pipeline, call);
    const replies = (await pipeline.exec()) ?? [];
    const answers: unknown[] = [];
    for (const [i, call] of calls.entries()) answers.push(await scriptReply(this.parts.redis, replies[i], call));
    return answers;
  }

  private async told<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      this.tell(error);
      throw error;
    }
  }

  /** The connection logs its own outages; what a Redis that is there objects to needs somebody. */
  private tell(error: unknown): void {
    if (error instanceof Error && error.name === 'ReplyError') this.parts.logger.error({ err: error }, 'Redis could not decide limits and budgets');
  }
}

/** Of several shards in one question: they are on one Redis. */
const nameOf = ({ shards }: ShardAsk): string => shards[0]?.name ?? '';
const ceilingsOf = (shards: readonly Shard[]): Ceiling[] => shards.flatMap(({ ceilings }) => ceilings);
const isShared = ({ degraded }: { degraded: DegradedMode }): boolean => degraded === 'local_share';
