import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConfigError, DEFAULT_OPS_PORT, readEnvironment } from '@deja/config';
import { DejaError, GATEWAY_LEASE_S } from '@deja/contracts';
import { createLogger, startOpsServer, startTelemetry } from '@deja/telemetry';
import type { FastifyRequest } from 'fastify';
import { isForAdmin, readAdminBody } from './admin/admin-body.ts';
import { fromAzurePath } from './azure-paths.ts';
import { GatewayModule } from './gateway.module.ts';
import { refuseRaw, refuseUnreadable } from './unreadable.ts';
import { Runtime } from './runtime.ts';
import { GatewayServices } from './services.ts';

const IDLE_CHECK_MS = 100;
const SERVICE = 'gateway';

async function start(): Promise<void> {
  const environment = readEnvironment(process.env);
  const instance = process.env['DEJA_INSTANCE'] ?? `${hostname()}-${process.pid}`;
  const logger = createLogger({ service: SERVICE, instance, level: environment.logLevel });
  const telemetry = startTelemetry({ service: SERVICE, instance });
  const leaseS = Number(process.env['DEJA_LEASE_S'] ?? GATEWAY_LEASE_S);
  const runtime = new Runtime(environment, `${instance}-${randomUUID()}`, logger, telemetry, leaseS);

  const adapter = new FastifyAdapter({ http: { requireHostHeader: false }, clientErrorHandler: refuseRaw, frameworkErrors: refuseUnreadable, forceCloseConnections: 'idle', routerOptions: { ignoreTrailingSlash: true }, rewriteUrl: (request: { url?: string | undefined }) => fromAzurePath(request.url ?? '/') });
  const app = await NestFactory.create<NestFastifyApplication>(GatewayModule.forRuntime(runtime), adapter, { bodyParser: false, logger: ['error', 'warn'] });
  const http = adapter.getInstance();
  const services = app.get(GatewayServices);
  // The body stays bytes until the pipeline parses it: what is passed on untouched keeps every digit.
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage) => (isForAdmin(request) ? readAdminBody(payload) : services.bodies.read(payload)));
  // A form may hold a file of any size: it streams by.
  http.addContentTypeParser(/^multipart\/form-data/i, (_request: FastifyRequest, payload: IncomingMessage, done: (error: null, body: IncomingMessage) => void) => done(null, payload));
  let draining = false;
  http.addHook('onRequest', ({ raw }, reply, done) => {
    if (draining) reply.raw.setHeader('connection', 'close');
    done(raw.headers.host === undefined && raw.httpVersion === '1.1' ? new DejaError('invalid_value', 'The request has no host header.', { param: 'host' }) : undefined);
  });

  // Whoever expects more than `100-continue` is answered like anybody else: Node's own refusal would have no body (RFC 9110, section 10.1.1, leaves the choice).
  http.server.on('checkExpectation', (request, response) => void http.server.emit('request', request, response));

  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT[SERVICE],
    telemetry,
    checks: () => ({ ...services.checks(), accepting: !draining }),
    degraded: () => services.degraded(),
    logger,
  });
  await app.listen(environment.port, environment.host);
  logger.info({ port: environment.port, ops_port: ops.port }, 'gateway listening');

  const stop = async (): Promise<void> => {
    if (draining) return;
    draining = true; // readiness goes off first, running requests and streams finish
    logger.info('draining');
    // A connection whose last answer ends while we drain would otherwise stay open for its keep-alive time.
    const idle = setInterval(() => http.server.closeIdleConnections(), IDLE_CHECK_MS);
    await app.close();
    clearInterval(idle);
    await ops.close();
    await telemetry.shutdown();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
}

start().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});
