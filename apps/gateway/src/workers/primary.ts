import { hostname } from 'node:os';
import { DEFAULT_OPS_PORT, readEnvironment, type Environment } from '@deja/config';
import { createLogger, startOpsServer } from '@deja/telemetry';
import { adminPlace } from '../admin/admin-place.ts';
import { HandOver, LOOK_EVERY_MS } from './hand-over.ts';
import { silenceMs } from './silence.ts';
import { Untaken } from './untaken.ts';
import { WorkersMetrics } from './workers-metrics.ts';
import { WorkerFailed, Workers } from './workers.ts';

/**
 * The primary process of a gateway of several: it starts the workers, gives them the connections, and speaks for all of them on the ops port and with signals. It
 * serves nobody itself, and so loads little. Rejects when it cannot start; ends with the last worker.
 */
export async function startPrimary(count: number): Promise<void> {
  const environment = readEnvironment(process.env);
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: 'gateway', instance, level: environment.logLevel });
  const untaken = new Untaken();
  const handOver = new HandOver({ logger, refuse: environment.overload === null ? null : (socket) => untaken.refuse(socket) });
  const workers = new Workers({ count, instance, silenceMs: silenceMs(process.env), handOver, logger });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => workers.stop(signal));

  let isListening = false;
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT.gateway,
    telemetry: new WorkersMetrics(workers.all, untaken),
    checks: () => ({ started: workers.areStarted, accepting: isListening && !workers.areStopping }),
    workers: () => workers.readiness(),
    logger,
  });
  try {
    await workers.start();
  } catch (error) {
    if (!(error instanceof WorkerFailed)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode);
  }
  if (!workers.areStopping) {
    const ports = await listen(environment, handOver);
    isListening = true;
    // After all that the workers have said by now was heard: timers come before it.
    setInterval(() => void setImmediate(() => handOver.look()), LOOK_EVERY_MS).unref();
    logger.info({ ...ports, ops_port: ops.port, workers: count }, 'gateway listening');
  }
  const exitCode = await workers.end;
  await untaken.end();
  await ops.close();
  process.exit(exitCode);
}

async function listen(environment: Environment, handOver: HandOver): Promise<{ port: number; admin_port?: number }> {
  const admin = adminPlace(environment);
  const adminPort = admin.kind === 'own port' ? await handOver.open('admin', admin.port, environment.host) : null;
  const port = await handOver.open('client', environment.port, environment.host);
  return { port, ...(adminPort !== null && { admin_port: adminPort }) };
}
