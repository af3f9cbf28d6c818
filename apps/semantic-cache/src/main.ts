import 'reflect-metadata';
import { hostname } from 'node:os';
import { ConfigError, readEnvironment } from '@deja/config';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { startReplica } from './replica.ts';

const SERVICE = 'semantic-cache';
/** The same place from src/main.ts and from out/main.mjs. */
const MODELS = new URL('../../../models/', import.meta.url);

try {
  await main();
} catch (error) {
  process.stderr.write(`deja semantic-cache: ${sentenceOf(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: SERVICE, instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: SERVICE, instance });

  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.abort(name));
  const replica = await startReplica({ environment, models: MODELS, logger, telemetry }, stopping.signal);
  if (!stopping.signal.aborted) {
    logger.info({ ops_port: replica.opsPort }, 'semantic-cache listening');
    await new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  logger.info({ signal: stopping.signal.reason as string }, 'stopping');
  await replica.close();
  await telemetry.shutdown();
  process.exit(0);
}

/** One sentence for what the user can change, a stack for what nobody foresaw. */
function sentenceOf(error: unknown): string {
  if (error instanceof ConfigError || (error instanceof Error && 'code' in error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
