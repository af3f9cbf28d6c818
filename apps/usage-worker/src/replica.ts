import { DEFAULT_OPS_PORT } from '@deja/config';
import { startOpsServer } from '@deja/telemetry';
import { NestFactory } from '@nestjs/core';
import { Runtime } from './runtime.ts';
import { UsageWorker } from './usage-worker.ts';
import { UsageWorkerModule } from './usage-worker.module.ts';

export interface Replica {
  opsPort: number;
  close(): Promise<void>;
}

/** One replica, taking jobs when this resolves. Its ops port answers from the beginning. `signal` gives up the start. */
export async function startReplica(runtime: Runtime, signal?: AbortSignal): Promise<Replica> {
  const app = await NestFactory.createApplicationContext(UsageWorkerModule.with(runtime), { logger: ['error', 'warn'], abortOnError: false });
  const worker = app.get(UsageWorker);
  const ops = await startOpsServer({
    host: runtime.environment.host,
    port: runtime.environment.opsPort ?? DEFAULT_OPS_PORT['usage-worker'],
    telemetry: runtime.telemetry,
    checks: () => worker.checks(),
    logger: runtime.logger,
  });
  const close = async (): Promise<void> => {
    await worker.stop();
    await app.close();
    await ops.close();
  };
  const givenUp = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => givenUp.resolve(), { once: true });
  if (signal?.aborted) givenUp.resolve();
  try {
    await Promise.race([worker.start(), givenUp.promise]);
  } catch (error) {
    await close();
    throw error;
  }
  return { opsPort: ops.port, close };
}
