import { normaliseText } from '@deja/cache-key';
import type { Environment } from '@deja/config';
import { cacheEntryKey } from '@deja/contracts';
import { openRedis, type RedisClient } from '@deja/redis';
import type { StaticEmbedder } from '@deja/similarity';
import type { Logger } from '@deja/telemetry';
import { QdrantIndex } from '../index/qdrant/qdrant-index.ts';
import type { Entries, TenantBounds } from './entries.ts';
import { ENTRY_LOG, EntryLog, recordOf, type LogRecord } from './entry-log.ts';
import { LogFollower } from './log-follower.ts';
import { LoggedEntries } from './logged-entries.ts';
import { SharedEntries } from './shared-entries.ts';

const MAX_ENTRIES = 100_000;
/** Until the settings are known. */
const BOUNDS: TenantBounds = { maxEntriesPerTenant: 50_000, maxBytesPerTenant: 256 * 1024 * 1024 };

export interface OpenEntries {
  entries: Entries;
  /** What readiness looks at. */
  checks: () => Record<string, boolean>;
  /** Resolves when everything that was stored before can be found; rejects never, and may take as long as Redis does. */
  whenReady: Promise<void>;
  close(): Promise<void>;
}

export interface OpenEntriesParts {
  environment: Pick<Environment, 'cacheRedisUrl' | 'qdrantUrl' | 'qdrantApiKey'>;
  /** Where answers are. */
  redis: RedisClient;
  builtIn: StaticEmbedder;
  service: string;
  logger: Logger;
}

/** Entries in Qdrant where there is one, else in memory. */
export function openEntries(parts: OpenEntriesParts): OpenEntries {
  const { qdrantUrl, qdrantApiKey } = parts.environment;
  return qdrantUrl === null ? inMemory(parts) : inQdrant(parts, { url: qdrantUrl, apiKey: qdrantApiKey });
}

/** A Qdrant that is away never keeps a replica from starting: its look-ups are misses. */
function inQdrant({ builtIn, logger }: OpenEntriesParts, { url, apiKey }: { url: string; apiKey: string | null }): OpenEntries {
  const entries = new SharedEntries({
    bounds: BOUNDS,
    open: (embedder, bounds) =>
      new QdrantIndex({ url, apiKey, embedder, bounds, logger, now: Date.now, onForeign: (reason) => logger.error({ reason }, 'Qdrant found an entry that may not be served: it was passed over') }),
  });
  entries.prepare(builtIn);
  return { entries, checks: () => ({}), whenReady: Promise.resolve(), close: () => entries.close() };
}

function inMemory({ environment, redis, builtIn, service, logger }: OpenEntriesParts): OpenEntries {
  const entries = new LoggedEntries({
    log: new EntryLog(redis, { maxEntries: MAX_ENTRIES }),
    builtIn: { name: builtIn.name, embed: (text) => builtIn.embed(normaliseText(text)) },
    bounds: { ...BOUNDS, maxEntries: MAX_ENTRIES },
    now: Date.now,
    // The answer is of no use any more: nobody finds it. Where it cannot be deleted, its own time ends it.
    onEvicted: ({ tenant, entry }) => void redis.unlink(cacheEntryKey(tenant, entry)).catch(() => undefined),
  });
  const follower = new LogFollower<LogRecord>({
    redis: openRedis(environment.cacheRedisUrl, { role: 'blocking', name: `${service}:follow`, logger }),
    log: ENTRY_LOG,
    read: recordOf,
    onRecords: (records) => entries.learn(records),
    onReset: () => {
      if (entries.size > 0) logger.warn({ entries: entries.size }, 'the entry log began anew: Redis was emptied, and so is the index');
      entries.reset();
    },
    logger,
  });
  follower.start();
  return { entries, checks: () => ({ log_replayed: follower.replayed }), whenReady: follower.whenReplayed(), close: () => follower.stop() };
}
