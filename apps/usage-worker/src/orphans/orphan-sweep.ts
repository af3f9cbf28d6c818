import { gatewayAliveKey, gatewayOpsKey, GATEWAYS_KEY } from '@deja/contracts';
import { defineScript, isUp, runScript, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { ledgerEvent } from '../intake/ledger-event.ts';
import type { LedgerWriter } from '../ledger/ledger-writer.ts';

/** Which replica sweeps in this round. Two at once would only do the same twice. */
const TURN_KEY = 'deja:ops:sweeping';
const PAGE = 200;

/** Removes what was read, unless it has changed since: a gateway that was only slow may have settled it in between. */
const REMOVE_UNCHANGED = defineScript(`
  for i = 1, #ARGV, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
  return redis.call('HLEN', KEYS[1])`);

/**
 * Finds gateway processes that died with operations open. What they had settled is recorded as it is; what was still open
 * becomes an orphaned row. Nothing is removed before it is committed.
 */
export class OrphanSweep {
  constructor(
    private readonly redis: RedisClient,
    private readonly writer: LedgerWriter,
    private readonly o: { instance: string; intervalMs: number; logger: Pick<Logger, 'info' | 'warn'> },
  ) {}

  /** One round, if no other replica has just done it. Rejects when Redis fails or the writer stops; the next round goes on. */
  async sweep(): Promise<void> {
    if (!isUp(this.redis)) return;
    const turn = await this.redis.set(TURN_KEY, this.o.instance, 'PX', Math.ceil(this.o.intervalMs * 0.9), 'NX');
    if (turn === null) return;
    for (const gateway of await this.redis.smembers(GATEWAYS_KEY)) {
      if (await this.redis.exists(gatewayAliveKey(gateway))) continue;
      await this.sweepGateway(gateway);
    }
  }

  private async sweepGateway(gateway: string): Promise<void> {
    let operations = 0;
    for (let cursor = '0'; ; ) {
      const [next, flat] = await this.redis.hscan(gatewayOpsKey(gateway), cursor, 'COUNT', PAGE);
      const values = flat.filter((_, i) => i % 2 === 1);
      const nowMs = Date.now();
      await this.writer.record(values.map((value) => ledgerEvent(parsed(value), { nowMs, open: 'orphaned' })));
      if (flat.length > 0) await runScript(this.redis, REMOVE_UNCHANGED, [gatewayOpsKey(gateway)], flat);
      operations += values.length;
      cursor = next;
      if (cursor === '0') break;
    }
    if (operations > 0) this.o.logger.warn({ gateway, operations }, 'a gateway died with operations open; they are in the ledger');
    await this.forget(gateway);
  }

  /** Takes a gateway off the list when it is gone and holds nothing; puts it back when it turns out to live. */
  private async forget(gateway: string): Promise<void> {
    if (await this.holdsOrLives(gateway)) return;
    await this.redis.srem(GATEWAYS_KEY, gateway);
    if (await this.holdsOrLives(gateway)) await this.redis.sadd(GATEWAYS_KEY, gateway);
  }

  private async holdsOrLives(gateway: string): Promise<boolean> {
    const [operations, alive] = await Promise.all([this.redis.hlen(gatewayOpsKey(gateway)), this.redis.exists(gatewayAliveKey(gateway))]);
    return operations > 0 || alive > 0;
  }
}

/** Text that is no JSON is no event either: it is set aside as it is. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
