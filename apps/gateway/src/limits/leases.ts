import { GATEWAY_HEARTBEAT_S } from '@deja/contracts';
import { InFlightMap } from '@deja/in-flight';
import { isUnknownScript, isUp, onReady, openPipeline, queueScript, scriptReply, type PipelineReply, type RedisClient, type ScriptCall } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { Growing } from './held.ts';
import type { Held, LimitShards } from './shards.ts';

interface Running {
  held: Held;
  growing: Growing | null;
  /** What its limits are charged with. */
  chargedTokens: number;
}

const TOP_UP_MS = 1000;
/** Operations in one round trip. */
const AT_ONCE = 500;

/** Keeps what operations under way hold in Redis from running out, and charges streams that outgrow their reservation while they run. */
export class Leases {
  private readonly running = new InFlightMap<string, Running>();
  private readonly timers: NodeJS.Timeout[] = [];
  private unfollow = (): void => undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly limits: LimitShards,
    private readonly logger: Pick<Logger, 'error'>,
    /** How often they are renewed; a lease is to last several times as long. */
    private readonly renewalMs = GATEWAY_HEARTBEAT_S * 1000,
  ) {}

  add(held: Held, growing: Growing | null): void {
    const { operation, tokens } = held.charge;
    this.running.set(operation, { held, growing, chargedTokens: Math.max(tokens, this.running.get(operation)?.chargedTokens ?? 0) });
  }

  /** To be called before the settlement is written: a renewal after it would bring the lease to life again. */
  remove(operation: string): void {
    this.running.delete(operation);
  }

  start(): void {
    this.timers.push(setInterval(() => void this.renew(), this.renewalMs).unref());
    this.timers.push(setInterval(() => void this.topUp(), TOP_UP_MS).unref());
    this.unfollow = onReady(this.redis, () => void this.renew());
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.unfollow();
  }

  /** Never rejects: what one could not do, the next one does. A Redis that has lost the leases gets them again. */
  async renew(): Promise<void> {
    const all = [...this.running.keys()];
    for (let i = 0; i < all.length; i += AT_ONCE) {
      // What is settled meanwhile must not be brought back: asked for at the last moment, also where Redis has to be taught the script first.
      const calls = (): ScriptCall[] => this.limits.renewCalls(all.slice(i, i + AT_ONCE).flatMap((operation) => this.running.get(operation)?.held ?? []));
      await this.attempt(async () => {
        const replies = await this.send(calls());
        const errors = replies.flatMap(([error]) => error ?? []);
        if (errors.some(isUnknownScript)) await Promise.all(calls().map(({ script, keys, args }) => this.redis.eval(script.source, keys.length, ...keys, ...args)));
        else if (errors.length > 0) throw errors[0];
      });
    }
  }

  /** Never rejects: settlement puts right what could not be written. */
  async topUp(): Promise<void> {
    const calls: ScriptCall[] = [];
    for (const running of this.running.values()) {
      const more = Math.ceil(running.growing?.tokensSoFar() ?? 0) - running.chargedTokens;
      if (more <= 0) continue;
      running.chargedTokens += more;
      calls.push(...this.limits.addCalls(running.held, more));
    }
    await this.attempt(async () => {
      const replies = await this.send(calls);
      if (replies.length > 0) await Promise.all(calls.map((call, i) => scriptReply(this.redis, replies[i], call)));
    });
  }

  private async send(calls: ScriptCall[]): Promise<PipelineReply[]> {
    if (calls.length === 0 || !isUp(this.redis)) return [];
    const pipeline = openPipeline(this.redis);
    for (const call of calls) queueScript(pipeline, call);
    return (await pipeline.exec()) ?? [];
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // The connection logs its own outages; what a Redis that is there objects to is a defect.
      if (error instanceof Error && error.name === 'ReplyError') this.logger.error({ err: error }, 'leases of limits could not be renewed');
    }
  }
}
