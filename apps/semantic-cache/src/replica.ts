import { DEFAULT_OPS_PORT, type Environment } from '@deja/config';
import { isUp, openRedis, type RedisClient } from '@deja/redis';
import { CrossEncoder, readCalibration, readLexicon, readModelFiles, StaticEmbedder, WrongRates } from '@deja/similarity';
import { startOpsServer, type Logger, type Telemetry } from '@deja/telemetry';
import { RpcErrorFilter, StreamsServer } from '@deja/transport';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Verification } from './decide/verification.ts';
import { EmbedderChoice } from './embedder-choice.ts';
import { openEntries, type OpenEntries } from './entries/open-entries.ts';
import { Presence } from './entries/presence.ts';
import { LogFollower } from './entries/log-follower.ts';
import { EVIDENCE_LOG, EvidenceLog, evidenceOf, type EvidenceRecord } from './evidence/evidence-log.ts';
import { Judgements } from './evidence/judgements.ts';
import { CacheMetrics } from './metrics.ts';
import { SemanticCacheModule } from './semantic-cache.module.ts';
import { SemanticCache } from './semantic-cache.ts';
import { SettingsWatch } from './settings-watch.ts';

const SERVICE = 'semantic-cache';
const SWEEP_INTERVAL_MS = 30_000;

export interface ReplicaOptions {
  environment: Pick<Environment, 'host' | 'opsPort' | 'redisUrl' | 'cacheRedisUrl' | 'qdrantUrl' | 'qdrantApiKey'>;
  /** Folder of all models: embedder, lexicon, verifier, calibration. */
  models: URL;
  logger: Logger;
  telemetry: Telemetry;
}

export interface Replica {
  opsPort: number;
  /** Finishes what is under way, then lets go of everything. */
  close(): Promise<void>;
}

/**
 * One replica, ready to answer: models loaded, logs read, then listening, so that no look-up is spent on a replica that
 * does not know the entries yet. Waits for a Redis that is still starting. `signal` gives up the start.
 */
export async function startReplica(options: ReplicaOptions, signal?: AbortSignal): Promise<Replica> {
  const { environment, logger, telemetry } = options;
  const models = await readModels(options.models);
  const redis = openRedis(environment.redisUrl, { role: 'commands', name: SERVICE, logger });
  const answers = openRedis(environment.cacheRedisUrl, { role: 'commands', name: `${SERVICE}:log`, logger });
  const opened = openEntries({ environment, redis: answers, builtIn: models.builtIn, service: SERVICE, logger });
  const mind = openMind({ options, models, redis, answers, opened });
  const server = new StreamsServer({ service: SERVICE, redisUrl: environment.redisUrl, logger });
  let accepting = false;
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT[SERVICE],
    telemetry,
    checks: () => ({ model: true, ...opened.checks(), redis: isUp(answers) && isUp(redis), bus: server.unwrap<RedisClient[]>().every(isUp), accepting }),
    logger,
  });
  const letGo = async (): Promise<void> => {
    await mind.close();
    await opened.close();
    await server.close();
    for (const connection of [redis, answers]) connection.disconnect();
    await ops.close();
  };

  if (!(await readyOrGivenUp(Promise.all([opened.whenReady, mind.whenReady]), signal))) return { opsPort: ops.port, close: letGo };
  logger.info({ entries: opened.entries.size, model: models.builtIn.name }, 'entries and evidence read');
  const metrics = new CacheMetrics(telemetry.meter, { entries: () => opened.entries.size, wrongRates: () => mind.cache.wrongRates({ tenant: null }).rates });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(SemanticCacheModule.with(mind.cache, metrics), { strategy: server, logger: ['error', 'warn'], abortOnError: false });
  app.useGlobalFilters(new RpcErrorFilter(logger));
  await app.listen();
  accepting = true;
  // Not fatal and not urgent: the next round tries again.
  const sweep = (): void => void opened.entries.sweep(Date.now()).catch((error: unknown) => logger.debug({ err: error }, 'sweeping the entries failed'));
  const sweeper = setInterval(sweep, SWEEP_INTERVAL_MS);
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

interface Models {
  builtIn: StaticEmbedder;
  lexicon: Awaited<ReturnType<typeof readLexicon>>;
  calibration: Awaited<ReturnType<typeof readCalibration>>;
}

async function readModels(folder: URL): Promise<Models> {
  const [files, lexicon, calibration] = await Promise.all([
    readModelFiles(new URL('static-256/', folder)), readLexicon(new URL('lexicon/', folder)), readCalibration(new URL('calibration/', folder)),
  ]);
  return { builtIn: new StaticEmbedder(files), lexicon, calibration };
}

/** What decides, and what it learns from. */
function openMind({ options: { environment, models: folder, logger }, models, redis, answers, opened: { entries } }: {
  options: ReplicaOptions; models: Models; redis: RedisClient; answers: RedisClient; opened: OpenEntries;
}): { cache: SemanticCache; whenReady: Promise<void>; close(): Promise<void> } {
  const embedders = new EmbedderChoice(logger);
  let crossEncoder: CrossEncoder | null = null;
  // It takes a moment to load, and strict verification does without.
  const loading = CrossEncoder.open({ model: new URL('verifier/', folder), logger }).then((opened) => {
    crossEncoder = opened;
  });
  const judgements = new Judgements();
  let usualBound = 1;
  const cache = new SemanticCache({
    builtIn: models.builtIn,
    local: embedders.local,
    entries,
    verification: new Verification({ lexicon: models.lexicon, crossEncoder: () => crossEncoder }),
    usualBound: () => usualBound,
    newRates: () => new WrongRates(models.calibration, { learnsFromRefused: true }),
    judgements,
    evidence: new EvidenceLog(redis),
    presence: new Presence(answers),
    now: Date.now,
    random: Math.random,
  });
  const follower = new LogFollower<EvidenceRecord>({
    redis: openRedis(environment.redisUrl, { role: 'blocking', name: `${SERVICE}:evidence`, logger }),
    log: EVIDENCE_LOG,
    read: evidenceOf,
    onRecords: (records) => cache.learn(records),
    onReset: () => cache.forgetEvidence(),
    logger,
  });
  const settings = new SettingsWatch({
    redis,
    onSettings: (semantic) => {
      entries.limit({ maxEntriesPerTenant: semantic.max_entries_per_tenant, maxBytesPerTenant: semantic.max_bytes_per_tenant });
      embedders.choose(semantic.embedder);
      usualBound = semantic.max_wrong_rate;
    },
    logger,
  });
  follower.start();
  settings.start();
  return {
    cache,
    whenReady: follower.whenReplayed(),
    close: async () => {
      await settings.close();
      await follower.stop();
      await embedders.close();
      await loading;
      await crossEncoder?.close();
    },
  };
}

async function readyOrGivenUp(ready: Promise<unknown>, signal: AbortSignal | undefined): Promise<boolean> {
  const givenUp = Promise.withResolvers<false>();
  const giveUp = (): void => givenUp.resolve(false);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([ready.then(() => true), givenUp.promise]);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}
