import { DEFAULT_OPS_PORT } from '@deja/config';
import { startOpsServer } from '@deja/telemetry';
import { RpcErrorFilter, StreamsServer } from '@deja/transport';
import { NestFactory } from '@nestjs/core';
import type { CustomStrategy } from '@nestjs/microservices';
import { SpentReader } from './budgets/spent-reader.ts';
import { LedgerReader } from './queries/ledger-reader.ts';
import { Runtime } from './runtime.ts';
import { UsageWorker } from './usage-worker.ts';
import { UsageWorkerModule } from './usage-worker.module.ts';

export interface Replica {
  opsPort: number;
  close(): Promise<void>;
}

/** One replica, taking jobs and answering when this resolves. Its ops port answers from the beginning. `signal` gives up the start. */
export async function startReplica(runtime: Runtime, signal?: AbortSignal): Promise<Replica> {
  const { environment, logger, telemetry } = runtime;
  const server = new StreamsServer({ service: 'usage-worker', redisUrl: environment.redisUrl, logger });
  const app = await NestFactory.createMicroservice<CustomStrategy>(UsageWorkerModule.with(runtime), { strategy: server, logger: ['error', 'warn'], abortOnError: false });
  app.useGlobalFilters(new RpcErrorFilter(logger));
  const worker = app.get(UsageWorker);
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT['usage-worker'],
    telemetry,
    checks: () => ({ ...worker.checks(), listening: server.isReady }),
    logger,
  });
  const close = async (): Promise<void> => {
    await Promise.all([worker.stop(), server.close()]);
    await worker.disconnect();
    await app.close();
    await Promise.all([app.get(SpentReader).close(), app.get(LedgerReader).close()]);
    await ops.close();
  };
  const start = async (): Promise<void> => {
    await worker.start();
    if (!signal?.aborted) await app.listen();
  };
  const givenUp = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => givenUp.resolve(), { once: true });
  if (signal?.aborted) givenUp.resolve();
  try {
    await Promise.race([start(), givenUp.promise]);
  } catch (error) {
    await close();
    throw error;
  }
  return { opsPort: ops.port, close };
}
