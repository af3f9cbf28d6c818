import { gatewayOpsKey, GATEWAYS_KEY } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import { beginningOf } from '../rollups/grains.ts';

/** More is not read every minute: nobody knows then. */
const MOST_OPEN = 50_000;
const PAGE = 500;

/** Operations by the quarter of an hour in which they were received, Unix ms. */
export type ByQuarter = Map<number, number>;

/** Operations among events as they came; what is none counts nowhere. */
export function addOperations(into: ByQuarter, events: readonly unknown[]): void {
  for (const event of events) {
    if (typeof event !== 'object' || event === null || !('receivedAtMs' in event) || typeof event.receivedAtMs !== 'number') continue;
    const quarterMs = beginningOf('quarters', event.receivedAtMs);
    into.set(quarterMs, (into.get(quarterMs) ?? 0) + 1);
  }
}

/** Operations that gateways hold in Redis, open or settled; null where there are too many to be counted. */
export async function heldOperations(redis: RedisClient): Promise<ByQuarter | null> {
  const held: ByQuarter = new Map();
  let left = MOST_OPEN;
  for (const gateway of await redis.smembers(GATEWAYS_KEY)) {
    left -= await redis.hlen(gatewayOpsKey(gateway));
    if (left < 0) return null;
    for (let cursor = '0'; ; ) {
      const [next, flat] = await redis.hscan(gatewayOpsKey(gateway), cursor, 'COUNT', PAGE);
      addOperations(held, flat.filter((_, i) => i % 2 === 1).map(parsed));
      cursor = next;
      if (cursor === '0') break;
    }
  }
  return held;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
