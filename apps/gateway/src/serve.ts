import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { compileWordings } from '@deja/cache-key';
import { readEnvironment } from '@deja/config';
import { GATEWAY_LEASE_S } from '@deja/contracts';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { isForAdmin } from './admin/admin-body.ts';
import { adminPlace } from './admin/admin-place.ts';
import { AdminModule } from './admin/admin.module.ts';
import { OwnFront, type Front } from './front.ts';
import { GatewayModule } from './gateway.module.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { httpApp } from './http-app.ts';
import { OpenConnections } from './open-connections.ts';
import { Runtime } from './runtime.ts';
import { GatewayServices } from './services.ts';
import { Stopping } from './stopping.ts';

const SERVICE = 'gateway';

/** A process that serves, from its start to its end: the gateway, or with a front of another kind one worker of it. Rejects when it cannot start. */
export async function serve(given: Front | null = null): Promise<never> {
  const environment = readEnvironment(process.env);
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: SERVICE, instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: SERVICE, instance });
  const leaseS = Number(process.env['DEJA_LEASE_S'] ?? GATEWAY_LEASE_S);
  const runtime = new Runtime(environment, `${instance}-${randomUUID()}`, logger, telemetry, leaseS);

  const front = given ?? new OwnFront(environment);
  const stopping = new Stopping({ delayMs: environment.drainDelayMs, logger });
  front.heed(stopping);
  compileWordings();
  const isDraining = (): boolean => stopping.isDraining;
  const app = await httpApp(GatewayModule.forRuntime(runtime), { isDraining, admits: (request, reply) => services.admits(request, reply), read: async (request, payload) => (isForAdmin(request) ? payload : services.bodies.read(payload)) });
  const services = app.get(GatewayServices);
  const admin = await adminApp(runtime, services, isDraining);
  const clients = new ConnectionMetrics(telemetry.meter);
  const listening = (admin === null ? [app] : [admin.app, app]).map((http) => ({ http, connections: new OpenConnections(clients.of(http.getHttpServer()), { most: environment.maxConnections, closed: clients.closed }) }));

  let isListening = false;
  const adminPort = admin && (await front.listen('admin', admin.app, admin.port));
  const opsPort = await front.tell({
    telemetry,
    checks: () => ({ ...services.checks(), accepting: isListening && !stopping.isDraining }),
    degraded: () => services.degraded(),
    logger,
  });
  const port = await front.listen('client', app, environment.port);
  isListening = true;
  front.opened();
  if (port === null) logger.info('worker takes connections');
  else logger.info({ port, ops_port: opsPort, ...(admin && { admin_port: adminPort }) }, 'gateway listening');

  await stopping.hasBegun;
  for (const { connections } of listening) connections.drain();
  await stopping.isDue;
  await front.closing();
  // Both stop to listen at once. What runs, streams too, ends; the services it needs end after that.
  await Promise.all(listening.map(({ http, connections }) => connections.closeBy(() => http.getHttpAdapter().close())));
  for (const { http } of listening) await http.close();
  await front.close();
  await telemetry.shutdown();
  process.exit(0);
}

/** The admin surface for a port of its own; null where it has none. */
async function adminApp(runtime: Runtime, services: GatewayServices, isDraining: () => boolean): Promise<{ app: NestFastifyApplication; port: number } | null> {
  const place = adminPlace(runtime.environment);
  if (place.kind !== 'own port') return null;
  const app = await httpApp(AdminModule.alone(services.admin, runtime), { isDraining, admits: services.admits, read: (_request, payload) => Promise.resolve(payload) });
  return { app, port: place.port };
}
