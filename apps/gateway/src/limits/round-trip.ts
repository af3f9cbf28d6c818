import { gatewayOpsKey, tenantRevisionKey, type OpenOperation } from '@deja/contracts';
import { isUp, openPipeline, queueScript, scriptReply, type PipelineReply, type RedisClient, type ScriptCall } from '@deja/redis';
import type { OperationQuotas } from '../quotas/operation-quotas.ts';
import type { AcceptedCounts } from '../settle/accepted.ts';
import { inTime } from './in-time.ts';

/** What one request wants to know of Redis before it is answered. */
export interface Asked {
  open: OpenOperation;
  /** Places in the exact cache to be read. */
  exactKeys: string[];
  presenceKey: string | null;
  /** Quotas of the candidates' credentials; absent where nothing is asked of them. */
  quotas?: OperationQuotas;
}

export interface RoundTripReply {
  /** The opening is in Redis. */
  recorded: boolean;
  /** What the script answered; undefined where none was asked. */
  limits: unknown;
  /** null where nobody wrote one, or it could not be read. */
  tenantRevision: number | null;
  semanticPresent: boolean;
  /** What the exact cache has at each of the asked places; empty where it could not be asked. */
  exact: (Buffer | null)[];
  /** For `OperationQuotas.decided`; undefined where nothing was asked of them. */
  quotas: PipelineReply | undefined;
}

/**
 * The one round trip before an answer: the operation's opening, its limits, the revision of its tenant, its candidates' quotas,
 * the exact cache, and whether a semantic look-up is worth it. Rejects where the limits, or where there are none the opening,
 * got no answer.
 */
export async function roundTrip(redis: RedisClient, asked: Asked, limits: ScriptCall | null, o: { instance: string; accepted: AcceptedCounts; readsCache: boolean }): Promise<RoundTripReply> {
  const { open, presenceKey, exactKeys, quotas } = asked;
  const quotaCall = quotas?.call ?? null;
  const pipeline = openPipeline(redis).hset(gatewayOpsKey(o.instance), open.id, JSON.stringify(open));
  o.accepted.queue(pipeline, o.accepted.opened(open));
  pipeline.get(tenantRevisionKey(open.tenant));
  if (limits !== null) queueScript(pipeline, limits);
  if (presenceKey !== null) pipeline.exists(presenceKey);
  if (quotaCall !== null) queueScript(pipeline, quotaCall);
  if (o.readsCache) for (const key of exactKeys) pipeline.getBuffer(key);

  const replies = new Replies(await pipeline.exec());
  const openError = replies.next()[0];
  replies.next(); // the count: said again with every beat
  const revision = Number(replies.value() ?? Number.NaN);
  if (limits === null && openError !== null) throw openError;
  const limitReply = limits === null ? undefined : replies.next();
  const semanticPresent = presenceKey !== null && replies.value() === 1;
  const quotaReply = quotaCall === null ? undefined : replies.next();
  const exact = o.readsCache ? exactKeys.map(() => bufferOf(replies.value())) : [];
  return {
    recorded: openError === null,
    limits: limits === null ? undefined : await scriptReply(redis, limitReply, limits),
    tenantRevision: Number.isSafeInteger(revision) ? revision : null,
    semanticPresent,
    exact,
    quotas: quotaReply,
  };
}

/** Read in the order in which their commands were queued. */
class Replies {
  private at = 0;

  constructor(private readonly all: readonly PipelineReply[]) {}

  next(): PipelineReply {
    return this.all[this.at++] ?? [new Error('Redis gave no answer'), undefined];
  }

  /** null where it is an error. */
  value(): unknown {
    const [error, value] = this.next();
    return error === null ? value : null;
  }
}

/** The exact cache where it has a Redis of its own; empty where that is away or slow: an outage of the cache is a miss. */
export async function readApart(cache: RedisClient, keys: string[], deadlineMs: number): Promise<(Buffer | null)[]> {
  if (!isUp(cache) || keys.length === 0) return [];
  const pipeline = openPipeline(cache);
  for (const key of keys) pipeline.getBuffer(key);
  const replies = await inTime(pipeline.exec(), deadlineMs);
  return (replies ?? []).map(([error, value]) => (error === null ? bufferOf(value) : null));
}

const bufferOf = (value: unknown): Buffer | null => (Buffer.isBuffer(value) ? value : null);
