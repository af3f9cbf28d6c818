import { COUNTING_GATEWAYS_KEY, gatewayAcceptedKey, gatewayAliveKey, GATEWAYS_KEY, SPOOLED_FIELD } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';

export interface AcceptedOperations {
  gateway: string;
  /** Beginning of the quarter, Unix ms. */
  quarterMs: number;
  operations: number;
}

/** What Redis says of gateway processes. */
export interface GatewayCounts {
  accepted: AcceptedOperations[];
  /** On disks of processes that live, by quarter (Unix ms). */
  spooled: Map<number, number>;
  /** There is one that lives and does not count: it is of an earlier version. */
  uncounted: boolean;
}

/** Takes processes off the list whose counts nobody needs any more. */
export async function readGateways(redis: RedisClient): Promise<GatewayCounts> {
  const [known, counting] = await Promise.all([redis.smembers(GATEWAYS_KEY), redis.smembers(COUNTING_GATEWAYS_KEY)]);
  const counts = new Set(counting);
  const isAlive = async (gateway: string): Promise<boolean> => (await redis.exists(gatewayAliveKey(gateway))) === 1;
  const all: GatewayCounts = { accepted: [], spooled: new Map(), uncounted: false };
  for (const gateway of known) if (!counts.has(gateway) && (await isAlive(gateway))) all.uncounted = true;
  for (const gateway of counting) {
    const fields = Object.entries(await redis.hgetall(gatewayAcceptedKey(gateway)));
    if (fields.length === 0) {
      if (!(await isAlive(gateway))) await redis.srem(COUNTING_GATEWAYS_KEY, gateway);
      continue;
    }
    const alive = await isAlive(gateway);
    for (const [field, value] of fields) {
      if (isCount(field) && isCount(value)) all.accepted.push({ gateway, quarterMs: Number(field), operations: Number(value) });
      else if (field === SPOOLED_FIELD && alive) addSpooled(all.spooled, value);
    }
  }
  return all;
}

const isCount = (text: string): boolean => /^\d{1,15}$/.test(text);

function addSpooled(spooled: Map<number, number>, text: string): void {
  let counts: unknown;
  try {
    counts = JSON.parse(text);
  } catch {
    return; // nobody's count
  }
  if (typeof counts !== 'object' || counts === null) return;
  for (const [quarterMs, count] of Object.entries(counts)) if (isCount(quarterMs) && typeof count === 'number') spooled.set(Number(quarterMs), (spooled.get(Number(quarterMs)) ?? 0) + count);
}
