import { gatewayOpsKey, tenantRevisionKey, type OpenOperation } from '@deja/contracts';
import { isUp, openPipeline, queueScript, scriptReply, type Pipeline, type PipelineReply, type RedisClient, type ScriptCall } from '@deja/redis';
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
  const pipeline = openPipeline(redis);
  let queued = 0;
  /** Where its reply will stand. */
  const queue = (add: (pipeline: Pipeline) => unknown): number => {
    add(pipeline);
    return queued++;
  };
  const { open, presenceKey, quotas } = asked;
  const quotaCall = quotas?.call ?? null;
  const opened = queue((p) => p.hset(gatewayOpsKey(o.instance), open.id, JSON.stringify(open)));
  queue((p) => o.accepted.queue(p, o.accepted.opened(open)));
  const limited = limits === null ? null : queue((p) => queueScript(p, limits));
  const revision = queue((p) => p.get(tenantRevisionKey(open.tenant)));
  const presence = presenceKey === null ? null : queue((p) => p.exists(presenceKey));
  const quota = quotaCall === null ? null : queue((p) => queueScript(p, quotaCall));
  const exact = o.readsCache ? asked.exactKeys.map((key) => queue((p) => p.getBuffer(key))) : [];

  const replies = ((await pipeline.exec()) ?? []) as PipelineReply[];
  const valueOf = (at: number | null): unknown => {
    const reply = at === null ? undefined : replies[at];
    return reply === undefined || reply[0] !== null ? null : reply[1];
  };
  const openError = replies[opened]?.[0] ?? null;
  if (limited === null && openError !== null) throw openError;
  const revisionText = valueOf(revision);
  return {
    recorded: replies[opened] !== undefined && openError === null,
    limits: limits === null || limited === null ? undefined : await scriptReply(redis, replies[limited], limits),
    tenantRevision: typeof revisionText === 'string' && Number.isSafeInteger(Number(revisionText)) ? Number(revisionText) : null,
    semanticPresent: valueOf(presence) === 1,
    exact: exact.map((at) => bufferOf(valueOf(at))),
    quotas: quota === null ? undefined : replies[quota],
  };
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
