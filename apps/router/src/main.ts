import 'reflect-metadata';
import { hostname } from 'node:os';
import { ConfigError, readEnvironment } from '@deja/config';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { BadConfigFile } from './config-file.ts';
import { startRouter } from './router.ts';

try {
  await main();
} catch (error) {
  process.stderr.write(`${sentenceOf(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const variables = process.env;
  const environment = { ...readEnvironment(variables), variables };
  const instance = variables['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: 'router', instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: 'router', instance });
  const router = await startRouter({ environment, logger, telemetry });

  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
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
}

/** What the user has to change in one sentence; a stack only for what nobody foresaw. */
function sentenceOf(error: unknown): string {
  if (error instanceof BadConfigFile) return `deja router: the configuration cannot be used:\n${error.message}`;
  if (error instanceof ConfigError) return `deja router: ${error.message}`;
  if (error instanceof Error && 'code' in error) return `deja router: ${error.message}`;
  return `deja router: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
