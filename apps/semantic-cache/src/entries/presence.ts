import { semanticPresenceKey } from '@deja/contracts';
import { defineScript, runScript, type RedisClient } from '@deja/redis';
import { Batcher } from '@deja/transport';
import type { StoreMessage } from './messages.ts';

/** A partition holds something until the last of its entries is over: a longer life is never cut short. ARGV: for each key, ms. */
const ANNOUNCE = defineScript(`
for i = 1, #KEYS do
  local leftMs = redis.call('PTTL', KEYS[i])
  if leftMs ~= -1 and leftMs < tonumber(ARGV[i]) then redis.call('SET', KEYS[i], '1', 'PX', ARGV[i]) end
end`);

/** Announced together. */
const MOST_ENTRIES = 64;

interface Announced {
  tenant: string;
  key: string;
  leftMs: number;
}

/** Lets gateways know which partitions are worth a look-up. */
export class Presence {
  private readonly entries: Batcher<Announced, unknown>;

  constructor(redis: RedisClient) {
    this.entries = new Batcher({ send: (entries) => Promise.all(byTenant(entries).map((lives) => runScript(redis, ANNOUNCE, [...lives.keys()], [...lives.values()]))), everyMs: 0, most: MOST_ENTRIES });
  }

  /** The partition of this entry is, as long as it lives. Rejects when Redis does not take it. */
  async announce({ tenant, scope, fingerprint, expiresAtMs }: StoreMessage, nowMs: number): Promise<void> {
    await this.entries.add({ tenant, key: semanticPresenceKey(tenant, scope, fingerprint), leftMs: Math.max(1, Math.ceil(expiresAtMs - nowMs)) });
  }
}

/** The longest life of each key. Keys of one tenant are on one shard of a cluster. */
function byTenant(entries: readonly Announced[]): Map<string, number>[] {
  const tenants = new Map<string, Map<string, number>>();
  for (const { tenant, key, leftMs } of entries) {
    const lives = tenants.get(tenant) ?? new Map<string, number>();
    tenants.set(tenant, lives.set(key, Math.max(leftMs, lives.get(key) ?? 0)));
  }
  return [...tenants.values()];
}
