import { setTimeout as delay } from 'node:timers/promises';
import type { Effort } from './cases.ts';
import type { Figures, Memory } from './figures.ts';
import type { RunningPeer } from './peers/peer.ts';
import { usageOf } from './processor-time.ts';

/** Of one core: what an idle cluster takes for its timers. */
const IDLE_SHARE = 0.06;

/** Processor seconds since the start. */
export interface Spent {
  gateway: number;
  others: number;
  redis: number | null;
  postgres: number | null;
}

function spentBy(peer: RunningPeer): Spent {
  const { gateway, others, redis, postgres } = peer.processes();
  const [ofGateway, ofRedis, ofPostgres, ...ofOthers] = usageOf([gateway, redis ?? -1, postgres ?? -1, ...others]).map(({ seconds }) => seconds);
  return { gateway: ofGateway ?? 0, others: ofOthers.reduce((sum, seconds) => sum + seconds, 0), redis: redis === null ? null : (ofRedis ?? 0), postgres: postgres === null ? null : (ofPostgres ?? 0) };
}

/** Waits until the peer does nothing any more, at most so long; what it had spent by then. */
export async function idle(peer: RunningPeer, { idleMs, idleWindowMs }: Effort): Promise<Spent> {
  const until = performance.now() + idleMs;
  const total = ({ gateway, others, redis, postgres }: Spent): number => gateway + others + (redis ?? 0) + (postgres ?? 0);
  for (let before = spentBy(peer); ; ) {
    await delay(idleWindowMs);
    const now = spentBy(peer);
    if (total(now) - total(before) <= (IDLE_SHARE * idleWindowMs) / 1000 || performance.now() > until) return now;
    before = now;
  }
}

/** Processor time of what lies between, µs a request. */
export function cpuPerRequest(before: Spent, after: Spent, requests: number): Partial<Figures> {
  const us = (seconds: number): number => (seconds * 1e6) / requests;
  const gateway = after.gateway - before.gateway;
  return {
    gatewayCpuUs: us(gateway),
    appsCpuUs: us(gateway + after.others - before.others),
    ...(after.redis !== null && before.redis !== null && { redisCpuUs: us(after.redis - before.redis) }),
    ...(after.postgres !== null && before.postgres !== null && { postgresCpuUs: us(after.postgres - before.postgres) }),
  };
}

/** What its processes hold now. Postgres is left out: its processes share most of what each of them holds. */
export function memoryOf(peer: RunningPeer): Memory {
  const { gateway, others, redis } = peer.processes();
  const [ofGateway, ofRedis, ...ofOthers] = usageOf([gateway, redis ?? -1, ...others]).map(({ residentMiB }) => residentMiB);
  return { gatewayMiB: ofGateway ?? 0, appsMiB: (ofGateway ?? 0) + ofOthers.reduce((sum, one) => sum + one, 0), redisMiB: redis === null ? null : (ofRedis ?? 0) };
}
