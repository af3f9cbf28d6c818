import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logger.ts';
import { OPEN_METRICS_TYPE } from './open-metrics.ts';
import { prefersOpenMetrics } from './open-metrics-accept.ts';
import type { Telemetry } from './telemetry.ts';

/** A process that serves behind the one whose ops port this is. */
export interface WorkerReadiness {
  /** From 1 on. */
  worker: number;
  /** null where it has no process at the moment. */
  pid: number | null;
  ready: boolean;
  /** Its own, by name; `answering` alone, and false, where it did not say in time. */
  checks: Record<string, boolean>;
  /** What it does without, and serves all the same. */
  degraded: string[];
}

export interface OpsServerOptions {
  host: string;
  /** 0 for any free one. */
  port: number;
  telemetry: Pick<Telemetry, 'metricsText' | 'openMetricsText'>;
  /** By name; ready when all are true. */
  checks: () => Record<string, boolean>;
  /** What does without something it should have, and serves all the same. Named in the answer of `/readyz`. */
  degraded?: () => string[];
  /** Where several processes serve behind this one. Ready is then whose checks hold and who has a worker that is ready; one that is not is told as degraded. */
  workers?: () => Promise<WorkerReadiness[]>;
  logger: Pick<Logger, 'error'>;
}

/**
 * Health and metrics on a port of their own: `/healthz` (the process lives, and no worker of it is stuck), `/readyz` (200 or 503 with the checks), `/metrics`
 * (OpenMetrics for who asks for it, else Prometheus's text format).
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

async function answer(request: IncomingMessage, response: ServerResponse, options: OpsServerOptions): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return send(405, 'text/plain', 'GET or HEAD only\n');
  }
  const path = request.url?.split('?')[0];
  if (path === '/healthz') {
    const stuck = ((await options.workers?.()) ?? []).filter(({ checks }) => checks['answering'] === false);
    return stuck.length === 0 ? send(200, 'text/plain', 'ok\n') : send(503, 'text/plain', `no answer from ${stuck.map(named).join(', ')}\n`);
  }
  if (path === '/metrics') {
    response.setHeader('vary', 'accept');
    if (prefersOpenMetrics(request.headers.accept)) return send(200, OPEN_METRICS_TYPE, await options.telemetry.openMetricsText());
    return send(200, 'text/plain; version=0.0.4; charset=utf-8', await options.telemetry.metricsText());
  }
  if (path !== '/readyz') return send(404, 'text/plain', 'not found\n');
  const readiness = await readinessOf(options);
  return send(readiness.ready ? 200 : 503, 'application/json', `${JSON.stringify(readiness)}\n`);
}

async function readinessOf({ checks, degraded, workers }: OpsServerOptions): Promise<{ ready: boolean; checks: Record<string, boolean>; workers?: WorkerReadiness[]; degraded?: string[] }> {
  const behind = await workers?.();
  const found = checks();
  const lacking = [...new Set([...(degraded?.() ?? []), ...(behind ?? []).flatMap((one) => (one.ready ? one.degraded : [...one.degraded, named(one)]))])];
  return {
    ready: Object.values(found).every(Boolean) && behind?.some(({ ready }) => ready) !== false,
    checks: found,
    ...(behind !== undefined && { workers: behind }),
    ...(lacking.length > 0 && { degraded: lacking }),
  };
}

const named = ({ worker }: WorkerReadiness): string => `worker ${worker}`;
