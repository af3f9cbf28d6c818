import { join } from 'node:path';
import { serviceLevel, type Output } from './output.ts';
import { startPostgres, type ManagedPostgres } from './postgres-server.ts';
import { startRedis, type ManagedRedis } from './redis-server.ts';
import type { RunDirectory } from './run-directory.ts';
import type { ProcessSpec } from './supervised-process.ts';

export interface ServicesWanted {
  dataDir: string;
  redisUrl: string | null;
  databaseUrl: string | null;
  needsDatabase: boolean;
  output: Output;
  run: RunDirectory;
  /** Is handed every server as soon as it runs, so that a start that fails half-way can be undone. */
  keep: (made: ManagedRedis | ManagedPostgres) => void;
}

const DATABASE = 'deja';

/** Redis and Postgres: those that the URLs name, else our own ones in the data directory, side by side. */
export async function startServices(wanted: ServicesWanted): Promise<{ redisUrl: string; databaseUrl: string | null }> {
  const redis = async (): Promise<string> => {
    if (wanted.redisUrl !== null) return wanted.redisUrl;
    const server = await startRedis({ dir: join(wanted.dataDir, 'redis'), appendonly: true, watch: watch('redis', 'SIGTERM', wanted), onProgress: (text) => wanted.output({ from: 'launcher', text, level: 'info' }) });
    wanted.keep(server);
    return server.url;
  };
  const postgres = async (): Promise<string | null> => {
    if (wanted.databaseUrl !== null || !wanted.needsDatabase) return wanted.databaseUrl;
    const server = await startPostgres({ dir: join(wanted.dataDir, 'postgres'), watch: watch('postgres', 'SIGINT', wanted) });
    wanted.keep(server);
    return server.createDatabase(DATABASE);
  };
  // Both are waited for even when one fails, so that neither is left behind unknown.
  const [redisUrl, databaseUrl] = await Promise.allSettled([redis(), postgres()]);
  if (redisUrl.status === 'rejected') throw redisUrl.reason;
  if (databaseUrl.status === 'rejected') throw databaseUrl.reason;
  return { redisUrl: redisUrl.value, databaseUrl: databaseUrl.value };
}

function watch(service: 'redis' | 'postgres', signal: NodeJS.Signals, { output, run }: ServicesWanted): Pick<ProcessSpec, 'onLine' | 'onStart' | 'onDeath' | 'onStopped'> {
  const written = (change: Promise<void>): void => {
    change.catch((error: unknown) => output({ from: 'launcher', text: `${service} could not be written down in ${run.path}: ${String(error)}`, level: 'error' }));
  };
  return {
    onLine: (text) => output({ from: service, text, level: serviceLevel(service, text) }),
    onStart: (pid) => written(run.started(service, pid, signal)),
    onStopped: () => written(run.stopped(service)),
    onDeath: (end, again) => {
      if (again !== null) output({ from: 'launcher', text: `${service} died (${end.signal ?? `exit code ${end.code}`}); starting it again in ${again.inMs} ms`, level: 'warn' });
    },
  };
}
