import { DejaError, gatewayOpsKey, type OpenOperation, type Settings } from '@deja/contracts';
import { isUp, queueScript, runScript, scriptReply, type ScriptCall } from '@deja/redis';
import type { Redis } from 'ioredis';
import type { OperationQuotas } from '../quotas/operation-quotas.ts';
import { ADJUST, RESERVE } from './scripts.ts';
import { LocalWindow, type Ceiling, type CeilingState } from './window.ts';

export interface ReserveRequest {
  open: OpenOperation;
  /** Ceilings by Redis shard. */
  ceilings: Ceiling[][];
  /** Estimated prompt plus what the answer may take. */
  tokens: number;
  /** Places in the exact cache to be read. */
  exactKeys: string[];
  presenceKey: string | null;
  /** Quotas of the candidates' credentials; absent where nothing is asked of them. */
  quotas?: OperationQuotas;
}

/** A charge that was made, to be corrected at settlement. */
export interface Reservation {
  shards: { counters: string[]; second: number }[];
  tokens: number;
  states: CeilingState[];
}

export interface Reserved {
  reservation: Reservation;
  /** What the exact cache has at each of the asked places; empty when it could not be asked. */
  exact: (Buffer | null)[];
  semanticPresent: boolean;
  /** Redis could not be asked: limits were decided by this process alone, and the cache was not read. */
  degraded: boolean;
}

const NOTHING_RESERVED: Reservation = { shards: [], tokens: 0, states: [] };

type PipelineReply = [error: Error | null, reply: unknown];

/** The one Redis round trip before an answer: limits, the operation's opening, the exact cache, and whether a semantic look-up is worth it. */
export class Reserver {
  private readonly local = new Map<string, LocalWindow>();

  constructor(
    private readonly redis: Redis,
    /** Where cached answers are; the same connection unless they have a Redis of their own. */
    private readonly cache: Redis,
    private readonly instance: string,
    /** Live gateway replicas, for the local share of a limit. */
    private readonly replicas: () => number,
  ) {}

  /** Throws `rate_limit_exceeded`, or `overloaded` where limits must not be decided without Redis. */
  async reserve(request: ReserveRequest, degraded: Settings['limits']['degraded']): Promise<Reserved> {
    if (!isUp(this.redis)) return this.reserveLocally(request, degraded);
    const pipeline = this.redis.pipeline().hset(gatewayOpsKey(this.instance), request.open.id, JSON.stringify(request.open));
    for (const shard of request.ceilings) queueScript(pipeline, reserveCall(shard, request.tokens));
    const afterLimits = 1 + request.ceilings.length;
    if (request.presenceKey !== null) pipeline.exists(request.presenceKey);
    const quotaAt = afterLimits + (request.presenceKey === null ? 0 : 1);
    const quotaCall = request.quotas?.call ?? null;
    if (quotaCall !== null) queueScript(pipeline, quotaCall);
    const afterQuota = quotaAt + (quotaCall === null ? 0 : 1);
    const together = this.cache === this.redis;
    if (together) for (const key of request.exactKeys) pipeline.getBuffer(key);
    const apart = together || request.exactKeys.length === 0 ? null : this.readApart(request.exactKeys);
    let replies: PipelineReply[];
    let reservation: Reservation;
    try {
      replies = (await pipeline.exec()) ?? [];
      const failed = replies[0]?.[0];
      if (failed) throw failed;
      await request.quotas?.decided(quotaCall === null ? undefined : replies[quotaAt]);
      reservation = await this.decide(request, replies.slice(1, afterLimits));
    } catch (error) {
      if (error instanceof LimitRefusal) throw error;
      return this.reserveLocally(request, degraded); // the connection logs its own outages
    }
    if (this.local.size > 0) this.local.clear();
    const presence = request.presenceKey === null ? undefined : replies[afterLimits];
    const exact = together ? replies.slice(afterQuota).map(bufferOf) : [];
    return {
      reservation,
      exact: apart === null ? exact : await apart,
      semanticPresent: presence?.[0] === null && presence[1] === 1,
      degraded: false,
    };
  }

  private async readApart(keys: string[]): Promise<(Buffer | null)[]> {
    return isUp(this.cache) ? await this.cache.mgetBuffer(keys).catch(() => []) : []; // an outage of the cache is a miss
  }

  /** What replaces the estimate by what was used; `requests` is -1 to give the request itself back. Losing it to an outage leaves the estimate to expire. */
  corrections(reservation: Reservation, change: { tokens: number; requests?: number }): ScriptCall[] {
    if (change.tokens === 0 && !change.requests) return [];
    return reservation.shards.map(({ counters, second }) => ({ script: ADJUST, keys: counters, args: [second, change.requests ?? 0, change.tokens] }));
  }

  /** Reads the verdicts of all shards; when one refuses, the others give their charge back. */
  private async decide(request: ReserveRequest, replies: PipelineReply[]): Promise<Reservation> {
    const reservation: Reservation = { shards: [], tokens: request.tokens, states: [] };
    let refusal: { ceiling: Ceiling; kind: 'requests' | 'tokens'; waitMs: number; states: CeilingState[] } | null = null;
    for (const [i, shard] of request.ceilings.entries()) {
      const reply = (await scriptReply(this.redis, replies[i], reserveCall(shard, request.tokens))) as unknown[];
      const admitted = reply[0] === 1;
      const used = reply.slice(admitted ? 2 : 4).map(Number);
      const states = shard.map((ceiling, k) => ({ ceiling, usedRequests: used[2 * k] ?? 0, usedTokens: used[2 * k + 1] ?? 0 }));
      const ceiling = shard[Number(reply[1]) - 1];
      if (admitted) {
        reservation.shards.push({ counters: shard.map((c) => c.counter), second: Number(reply[1]) });
        reservation.states.push(...states);
      } else if (ceiling) refusal = { ceiling, kind: reply[2] === 'tokens' ? 'tokens' : 'requests', waitMs: Number(reply[3]), states };
    }
    if (refusal === null) return reservation;
    const back = this.corrections(reservation, { tokens: -request.tokens, requests: -1 });
    await Promise.all(back.map(({ script, keys, args }) => runScript(this.redis, script, keys, args)));
    throw new LimitRefusal(refusal.ceiling, refusal.kind, refusal.waitMs, [...reservation.states, ...refusal.states]);
  }

  private reserveLocally(request: ReserveRequest, degraded: Settings['limits']['degraded']): Reserved {
    const ceilings = request.ceilings.flat();
    if (degraded === 'closed' && ceilings.length > 0) {
      throw new DejaError('overloaded', 'Limits cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000 });
    }
    if (degraded === 'local_share') {
      const share = 1 / Math.max(1, this.replicas());
      for (const ceiling of ceilings) {
        const window = this.local.get(ceiling.counter) ?? new LocalWindow();
        this.local.set(ceiling.counter, window);
        if (!window.admit(ceiling, { requests: 1, tokens: request.tokens }, Date.now(), share)) throw new LimitRefusal(ceiling, 'requests', 1000, []);
      }
    }
    return { reservation: NOTHING_RESERVED, exact: [], semanticPresent: false, degraded: true };
  }
}

const bufferOf = (reply: PipelineReply | undefined): Buffer | null => (reply?.[0] === null && Buffer.isBuffer(reply[1]) ? reply[1] : null);

function reserveCall(shard: Ceiling[], tokens: number): ScriptCall {
  const limits = shard.flatMap((c) => [c.requestsPerMinute ?? -1, c.tokensPerMinute ?? -1]);
  return { script: RESERVE, keys: shard.map((c) => c.counter), args: [tokens, ...limits] };
}

/** 429 `rate_limit_exceeded`, with the state of the ceilings for its headers. */
export class LimitRefusal extends DejaError {
  readonly states: CeilingState[];

  constructor(ceiling: Ceiling, kind: 'requests' | 'tokens', waitMs: number, states: CeilingState[]) {
    const limit = kind === 'requests' ? ceiling.requestsPerMinute : ceiling.tokensPerMinute;
    const never = waitMs < 0;
    super(
      'rate_limit_exceeded',
      never
        ? `This request alone needs more than the limit of ${limit} ${kind} per minute of this ${ceiling.scope}.`
        : `The limit of ${limit} ${kind} per minute (${ceiling.scope}) is used up.`,
      { type: kind, retry: !never, ...(never ? {} : { retryAfterMs: waitMs }) },
    );
    this.states = states;
  }
}
