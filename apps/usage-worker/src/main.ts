import 'reflect-metadata';
import { hostname } from 'node:os';
import { ConfigError, readEnvironment } from '@deja/config';
import { GATEWAY_LEASE_S } from '@deja/contracts';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { startReplica } from './replica.ts';
import { Runtime } from './runtime.ts';

const SERVICE = 'usage-worker';

async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  if (environment.databaseUrl === null) throw new ConfigError('DATABASE_URL must be set: the ledger lives in Postgres.');
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: SERVICE, instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: SERVICE, instance });
  const runtime = new Runtime(environment, environment.databaseUrl, instance, logger, telemetry, leaseS());

  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.abort(name));
  const replica = await startReplica(runtime, stopping.signal);
  if (!stopping.signal.aborted) {
    logger.info({ ops_port: replica.opsPort }, 'usage-worker takes events');
    await new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  logger.info({ signal: String(stopping.signal.reason) }, 'stopping');
  await replica.close();
  await telemetry.shutdown();
  process.exit(0);
}

/** Seconds; the gateways read the same variable. */
function leaseS(): number {
  const text = process.env['DEJA_LEASE_S']?.trim();
  if (!text) return GATEWAY_LEASE_S;
  const seconds = Number(text);
  if (!(seconds > 0)) throw new ConfigError(`DEJA_LEASE_S must be a number of seconds, but it is ${JSON.stringify(text)}.`);
  return seconds;
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || (error instanceof Error && error.cause !== undefined);
  process.stderr.write(`deja usage-worker: ${expected ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
