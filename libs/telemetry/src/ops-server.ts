import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logger.ts';
import { OPEN_METRICS_TYPE } from './open-metrics.ts';
import { prefersOpenMetrics } from './open-metrics-accept.ts';
import type { Telemetry } from './telemetry.ts';

export interface OpsServerOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  telemetry: Pick<Telemetry, 'metricsText' | 'openMetricsText'>;
  /** By name; ready when all are true. */
  checks: () => Record<string, boolean>;
  /** What does without something it should have, and serves all the same. Named in the answer of `/readyz`. */
  degraded?: () => string[];
  logger: Pick<Logger, 'error'>;
}

/**
 * Health and metrics on a port of their own: `/healthz` (the process lives), `/readyz` (200 or 503 with the checks), `/metrics` (OpenMetrics for who asks for it,
 * else Prometheus's text format).
 */
export async function startOpsServer(options: OpsServerOptions): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      options.logger.error({ err: error }, 'the ops server failed to answer');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(options.port, options.host, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, { checks, degraded, telemetry }: OpsServerOptions): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return send(405, 'text/plain', 'GET or HEAD only\n');
  }
  const path = request.url?.split('?')[0];
  if (path === '/healthz') return send(200, 'text/plain', 'ok\n');
  if (path === '/metrics') {
    response.setHeader('vary', 'accept');
    if (prefersOpenMetrics(request.headers.accept)) return send(200, OPEN_METRICS_TYPE, await telemetry.openMetricsText());
    return send(200, 'text/plain; version=0.0.4; charset=utf-8', await telemetry.metricsText());
  }
  if (path !== '/readyz') return send(404, 'text/plain', 'not found\n');
  const found = checks();
  const ready = Object.values(found).every(Boolean);
  const lacking = degraded?.() ?? [];
  return send(ready ? 200 : 503, 'application/json', `${JSON.stringify({ ready, checks: found, ...(lacking.length > 0 && { degraded: lacking }) })}\n`);
}
