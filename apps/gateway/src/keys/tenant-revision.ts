import { tenantRevisionKey } from '@deja/contracts';
import { isUp, type RedisClient } from '@deja/redis';
import { inTime } from '../limits/in-time.ts';

/** As for the limits of a request: who asks for a list of models waits no longer. */
const DEADLINE_MS = 50;

/** The revision of a tenant as Redis has it; null where it has none, is away, or takes too long. Never rejects. */
export async function tenantRevision(redis: RedisClient, tenant: string): Promise<number | null> {
  const text = isUp(redis) ? await inTime(redis.get(tenantRevisionKey(tenant)), DEADLINE_MS) : null;
  return text !== null && Number.isSafeInteger(Number(text)) ? Number(text) : null;
}
