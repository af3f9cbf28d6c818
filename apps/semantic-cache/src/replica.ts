import { DEFAULT_OPS_PORT, type Environment } from '@deja/config';
import { isUp, openRedis, type RedisClient } from '@deja/redis';
import { readModelFiles, StaticEmbedder } from '@deja/similarity';
import { startOpsServer, type Logger, type Telemetry } from '@deja/telemetry';
import { RpcErrorFilter, StreamsServer } from '@deja/transport';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { EntryLog } from './entries/entry-log.ts';
import { LogFollower } from './entries/log-follower.ts';
import { EmbeddedIndex } from './index/embedded/embedded-index.ts';
import { CacheMetrics } from './metrics.ts';
import { SemanticCacheModule } from './semantic-cache.module.ts';
import { SemanticCache } from './semantic-cache.ts';

const SERVICE = 'semantic-cache';
const MAX_ENTRIES = 100_000;
const MAX_ENTRIES_PER_TENANT = 50_000;
const SWEEP_INTERVAL_MS = 30_000;

export interface ReplicaOptions {
  environment: Pick<Environment, 'host' | 'opsPort' | 'redisUrl' | 'cacheRedisUrl'>;
  /** Folder of the embedder, with its manifest. */
  model: URL;
  logger: Logger;
  telemetry: Telemetry;
}

export interface Replica {
  opsPort: number;
  /** Finishes what is under way, then lets go of everything. */
  close(): Promise<void>;
}

/**
 * One replica, ready to answer: model loaded, log read, then listening, so that no look-up is spent on a replica that
 * does not know the entries yet. Waits for a Redis that is still starting. `signal` gives up the start.
 */
export async function startReplica({ environment, model, logger, telemetry }: ReplicaOptions, signal?: AbortSignal): Promise<Replica> {
  const embedder = new StaticEmbedder(await readModelFiles(model));
  const index = new EmbeddedIndex({ dimensions: embedder.dimensions, maxEntriesPerTenant: MAX_ENTRIES_PER_TENANT, maxEntries: MAX_ENTRIES });
  const redis = openRedis(environment.cacheRedisUrl, { role: 'commands', name: `${SERVICE}:log`, logger });
  const log = new EntryLog(redis, { maxEntries: MAX_ENTRIES });
  const cache = new SemanticCache({ embedder, index, log, now: Date.now });
  const follower = new LogFollower({
    redis: openRedis(environment.cacheRedisUrl, { role: 'blocking', name: `${SERVICE}:follow`, logger }),
    onRecords: (records) => cache.learn(records),
    onReset: () => {
      if (index.size > 0) logger.warn({ entries: index.size }, 'the entry log began anew: Redis was emptied, and so is the index');
      cache.reset();
    },
    logger,
  });
  const server = new StreamsServer({ service: SERVICE, redisUrl: environment.redisUrl, logger });
  let accepting = false;
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT[SERVICE],
    telemetry,
    checks: () => ({ model: true, log_replayed: follower.replayed, redis: isUp(redis), bus: server.unwrap<RedisClient[]>().every(isUp), accepting }),
    logger,
  });
  const letGo = async (): Promise<void> => {
    await follower.stop();
    await server.close();
    redis.disconnect();
    await ops.close();
  };

  follower.start();
  if (!(await replayedOrGivenUp(follower, signal))) return { opsPort: ops.port, close: letGo };
  logger.info({ entries: index.size, model: embedder.name }, 'entry log read');
  const metrics = new CacheMetrics(telemetry.meter, () => index.size);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(SemanticCacheModule.with(cache, metrics), {
    strategy: server,
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  app.useGlobalFilters(new RpcErrorFilter(logger));
  await app.listen();
  accepting = true;
  const sweeper = setInterval(() => {
    index.sweep(Date.now());
    // Not fatal and not urgent: the next round tries again.
    log.trimExpired(Date.now()).catch((error: unknown) => logger.debug({ err: error }, 'trimming the entry log failed'));
  }, SWEEP_INTERVAL_MS);
  return {
    opsPort: ops.port,
    close: async () => {
      accepting = false; // readiness goes off first, then running look-ups finish
      clearInterval(sweeper);
      await app.close();
      await letGo();
    },
  };
}

async function replayedOrGivenUp(follower: LogFollower, signal: AbortSignal | undefined): Promise<boolean> {
  const givenUp = Promise.withResolvers<false>();
  const giveUp = (): void => givenUp.resolve(false);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([follower.whenReplayed().then(() => true), givenUp.promise]);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}
