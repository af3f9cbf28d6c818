import { setTimeout as delay } from 'node:timers/promises';
import { tenantRevisionKey } from '@deja/contracts';
import { defineScript, onReady, runScript, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { PushChannel } from '../push-channel.ts';
import type { TenantsRepository } from './tenants.repository.ts';

const RETRY_MS = 200;
/** A cluster may lose what one of its nodes had without the connection noticing. */
const EVERY_MS = 60_000;
const PAGE = 100;

/** Sets the revision unless a later one stands there, and returns the one that stands there then. ARGV: revision. */
const RAISE = defineScript(`
local current = redis.call('GET', KEYS[1])
if current and tonumber(current) and tonumber(current) >= tonumber(ARGV[1]) then return current end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
`);

/**
 * The tenants' revisions as gateways see them in Redis with every request. Pushes are quicker, but may be lost; what stands here is not.
 * Postgres has the truth: all of it is written at the start, whenever the connection to Redis is there again, and once a minute.
 */
export class TenantRevisions {
  /** Not yet in Redis. */
  readonly #due = new Map<string, number>();
  #isAllDue = false;
  #work: Promise<void> | null = null;
  #isFailing = false;
  #timer: NodeJS.Timeout | undefined;
  #unfollow = (): void => undefined;
  readonly #stopped = new AbortController();

  constructor(
    private readonly redis: RedisClient,
    private readonly tenants: Pick<TenantsRepository, 'revisions' | 'raiseRevision'>,
    private readonly push: Pick<PushChannel, 'send'>,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {}

  /** Writes the revisions of all tenants, now and from time to time. */
  start(): void {
    this.#unfollow = onReady(this.redis, this.#writeAll);
    this.#timer = setInterval(this.#writeAll, EVERY_MS);
    this.#writeAll();
  }

  async stop(): Promise<void> {
    this.#unfollow();
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#work;
  }

  /** After the commit: the revision stands in Redis and the gateways were told when this resolves, or as soon as Redis is there. Never rejects. */
  async changed(tenant: string, revision: number): Promise<void> {
    try {
      await this.#write(tenant, revision);
    } catch {
      this.#due.set(tenant, Math.max(revision, this.#due.get(tenant) ?? 0));
      this.#begin();
    }
    await this.push.send({ kind: 'tenant_changed', tenant });
  }

  readonly #writeAll = (): void => {
    this.#isAllDue = true;
    this.#begin();
  };

  #begin(): void {
    this.#work ??= this.#untilDone();
  }

  async #untilDone(): Promise<void> {
    while (!this.#stopped.signal.aborted && (this.#isAllDue || this.#due.size > 0)) {
      try {
        await this.#writeDue();
        if (this.#isFailing) this.logger.info('the revisions of tenants stand in Redis again');
        this.#isFailing = false;
      } catch (error) {
        // One line an outage is enough; the connections log their own.
        if (!this.#isFailing) this.logger.warn({ err: error }, 'the revisions of tenants cannot be written to Redis; trying again');
        this.#isFailing = true;
        await delay(RETRY_MS, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => undefined);
      }
    }
    // At once, so that nothing can become due unseen.
    this.#work = null;
  }

  async #writeDue(): Promise<void> {
    for (const [tenant, revision] of this.#due) {
      await this.#write(tenant, revision);
      // A later change may have become due meanwhile.
      if (this.#due.get(tenant) === revision) this.#due.delete(tenant);
    }
    if (!this.#isAllDue) return;
    this.#isAllDue = false;
    try {
      await this.#writeEach();
    } catch (error) {
      this.#isAllDue = true;
      throw error;
    }
  }

  async #writeEach(): Promise<void> {
    for (let after: string | null = null; ;) {
      const page = await this.tenants.revisions(after, PAGE);
      await Promise.all(page.map(({ id, revision }) => this.#write(id, revision)));
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE || this.#stopped.signal.aborted) return;
      after = last.id;
    }
  }

  async #write(tenant: string, revision: number): Promise<void> {
    const standing = Number(await runScript(this.redis, RAISE, [tenantRevisionKey(tenant)], [revision]));
    if (standing <= revision) return;
    // A later change was faster; or Postgres was restored from before it, and then nothing that is known of the tenant's keys would ever be new enough.
    const raised = await this.tenants.raiseRevision(tenant, standing);
    if (raised !== null) await runScript(this.redis, RAISE, [tenantRevisionKey(tenant)], [raised]);
  }
}
