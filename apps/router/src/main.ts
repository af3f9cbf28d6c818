import 'reflect-metadata';
import { hostname } from 'node:os';
import { readEnvironment } from '@deja/config';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { startRouter, type RunningRouter } from './router.ts';
import { startUpSentence } from './start-up-error.ts';

/** Longer than the transport takes to finish what is under way. */
const STOP_MS = 20_000;

try {
  await main();
} catch (error) {
  process.stderr.write(`${startUpSentence(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const variables = process.env;
  const environment = { ...readEnvironment(variables), variables };
  const instance = variables['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: 'router', instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: 'router', instance });
  let router: RunningRouter | null = null;

  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    // Nobody has been answered yet, and a migration that is under way is one transaction.
    if (router === null) process.exit(0);
    // A database that hangs must not keep the process from ending.
    setTimeout(() => process.exit(1), STOP_MS).unref();
    router.close().then(() => telemetry.shutdown()).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'the router did not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // As process 1 of a container it would otherwise not hear of a stop while it waits for Postgres.
  router = await startRouter({ environment, logger, telemetry });
}
