import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConfigError, DEFAULT_OPS_PORT, readEnvironment } from '@deja/config';
import { GATEWAY_LEASE_S } from '@deja/contracts';
import { createLogger, startOpsServer, startTelemetry } from '@deja/telemetry';
import { isForAdmin } from './admin/admin-body.ts';
import { AdminModule, adminPlace } from './admin/admin.module.ts';
import { GatewayModule } from './gateway.module.ts';
import { httpApp } from './http-app.ts';
import { OpenConnections } from './open-connections.ts';
import { Runtime } from './runtime.ts';
import { GatewayServices } from './services.ts';
import { Stopping } from './stopping.ts';

const SERVICE = 'gateway';

async function start(): Promise<void> {
  const environment = readEnvironment(process.env);
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: SERVICE, instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: SERVICE, instance });
  const leaseS = Number(process.env['DEJA_LEASE_S'] ?? GATEWAY_LEASE_S);
  const runtime = new Runtime(environment, `${instance}-${randomUUID()}`, logger, telemetry, leaseS);

  const stopping = new Stopping({ delayMs: environment.drainDelayMs, logger });
  stopping.heed(process);
  const isDraining = (): boolean => stopping.isDraining;
  const app = await httpApp(GatewayModule.forRuntime(runtime), { isDraining, read: async (request, payload) => (isForAdmin(request) ? payload : services.bodies.read(payload)) });
  const services = app.get(GatewayServices);
  const admin = await adminApp(runtime, services, isDraining);
  const listening = (admin === null ? [app] : [admin, app]).map((http) => ({ http, connections: new OpenConnections(http.getHttpServer()) }));

  let isListening = false;
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT[SERVICE],
    telemetry,
    checks: () => ({ ...services.checks(), accepting: isListening && !stopping.isDraining }),
    degraded: () => services.degraded(),
    logger,
  });
  await app.listen(environment.port, environment.host);
  isListening = true;
  logger.info({ port: environment.port, ops_port: ops.port, ...(admin && { admin_port: portOf(admin) }) }, 'gateway listening');

  await stopping.hasBegun;
  for (const { connections } of listening) connections.drain();
  await stopping.isDue;
  // Both stop to listen at once. What runs, streams too, ends; the services it needs end after that.
  await Promise.all(listening.map(({ http, connections }) => connections.closeBy(() => http.getHttpAdapter().close())));
  for (const { http } of listening) await http.close();
  await ops.close();
  await telemetry.shutdown();
  process.exit(0);
}

/** The admin surface on a port of its own, listening; null where it has none. */
async function adminApp(runtime: Runtime, services: GatewayServices, isDraining: () => boolean): Promise<NestFastifyApplication | null> {
  const place = adminPlace(runtime.environment);
  if (place.kind !== 'own port') return null;
  const admin = await httpApp(AdminModule.alone(services.admin, runtime), { isDraining, read: (_request, payload) => Promise.resolve(payload) });
  await admin.listen(place.port, runtime.environment.host);
  return admin;
}

function portOf(app: NestFastifyApplication): number | null {
  const address = app.getHttpServer().address();
  return typeof address === 'object' && address !== null ? address.port : null;
}

start().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});
