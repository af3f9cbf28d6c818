import { parseConfig } from '@deja/config';
import { PUSH_CHANNEL, SNAPSHOT_KEY, type AttemptOutcome, type CredentialRef, type Push, type RoutingSnapshot } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import { HealthStore } from '../src/pool/health-store.ts';
import { Pool } from '../src/pool/pool.ts';
import { PushChannel } from '../src/push-channel.ts';
import { configurationOf, type Configuration } from '../src/snapshot/content.ts';
import { SnapshotPublisher } from '../src/snapshot/snapshot-publisher.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { recorder } from './infrastructure.ts';

const TICK_MS = 40;

/** What one replica publishes and records with. */
export interface SnapshotReplica {
  publisher: SnapshotPublisher;
  pool: Pool;
  record: (outcomes: Partial<AttemptOutcome>[]) => Promise<void>;
  lines: Record<string, unknown>[];
  stop: () => Promise<void>;
}

/** One Redis, a gateway that hears what is pushed, and replicas that come and go with each test. */
export class SnapshotStage {
  server!: RedisProcess;
  redis!: RedisClient;
  pushed: Push[] = [];
  readonly closing: (() => Promise<void> | void)[] = [];

  async open(): Promise<void> {
    this.server = await RedisProcess.start();
  }

  async close(): Promise<void> {
    await this.server.stop();
  }

  async begin(): Promise<void> {
    const { logger } = recorder();
    this.redis = openRedis(this.server.url, { role: 'commands', name: 'look', logger });
    await whenReady(this.redis, 25_000);
    await this.redis.flushall();
    const pushed: Push[] = [];
    this.pushed = pushed;
    const subscriber = openRedis(this.server.url, { role: 'subscriber', name: 'gateway', logger });
    await whenReady(subscriber, 25_000);
    await subscriber.subscribe(PUSH_CHANNEL);
    subscriber.on('message', (_: string, text: string) => void pushed.push(JSON.parse(text) as Push));
    this.closing.push(() => subscriber.disconnect(), () => this.redis.disconnect());
  }

  async end(): Promise<void> {
    for (const close of this.closing.splice(0).toReversed()) await close();
  }

  /** Its pauses are not spread. */
  async replica(now: () => number = Date.now): Promise<SnapshotReplica> {
    const { logger, lines } = recorder();
    const connection = openRedis(this.server.url, { role: 'commands', name: 'test', logger });
    await whenReady(connection, 25_000);
    const health = new HealthStore(connection);
    const pool = new Pool(health, logger, now, () => 0.5);
    const publisher = new SnapshotPublisher(new SnapshotStore(connection), health, pool, new PushChannel(connection, logger), logger, TICK_MS);
    const record = async (outcomes: Partial<AttemptOutcome>[]): Promise<void> => {
      if (await pool.record(outcomes.map(outcome), publisher.content!)) publisher.healthChanged();
    };
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (isStopped) return;
      isStopped = true;
      await publisher.stop();
      connection.disconnect();
    };
    this.closing.push(stop);
    return { publisher, pool, record, lines, stop };
  }

  async published(): Promise<RoutingSnapshot | null> {
    const text = await this.redis.get(SNAPSHOT_KEY);
    return text === null ? null : (JSON.parse(text) as RoutingSnapshot);
  }

  snapshotsPushed(): RoutingSnapshot[] {
    return this.pushed.flatMap((push) => (push.kind === 'snapshot' ? [push.snapshot] : []));
  }
}

interface FromAdminApi {
  revision: number;
  credentials?: CredentialRef[];
  drained?: string;
}

/** Configurations that differ in the models they serve, in the versions of the file's credentials, and in what came by the admin API. */
export function content(models: string[], version = 'v1', { revision, credentials = [], drained }: FromAdminApi = { revision: 0 }): Configuration {
  const parsed = parseConfig(
    `providers: { p: { kind: openai, credentials: [{ name: a, value: k1 }, { name: b, value: k2 }] } }\nmodels: [${models.map((m) => `{ name: ${m}, deployments: [{ provider: p, model: ${m} }] }`).join(', ')}]`,
    { openaiApiKeys: [], openaiBaseUrl: null, variables: {} },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return configurationOf(parsed.config, { versionOf: () => version, storedFor: () => credentials, isKeyed: () => false, isDrained: (id) => id === drained }, revision);
}

/** A credential of the admin API. */
export const stored = (over: Partial<CredentialRef> = {}): CredentialRef => ({ id: 'p/s', version: 's1', weight: 1, limits: {}, unavailableUntilMs: 0, ...over });

export const outcome = (over: Partial<AttemptOutcome>): AttemptOutcome => ({ atMs: Date.now(), deployment: 'p/m', credential: 'p/a', version: 'v1', status: 200, failure: null, retryAfterMs: null, firstByteMs: 1, durationMs: 1, ...over });
export const limited: Partial<AttemptOutcome> = { status: 429, failure: 'rate', retryAfterMs: 60_000 };
export const rejected: Partial<AttemptOutcome> = { status: 401, failure: 'auth' };
export const broken: Partial<AttemptOutcome> = { status: 503, failure: 'overloaded' };
