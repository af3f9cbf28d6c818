import { createServer, type Server, type Socket } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Environment } from '@deja/config';
import { DEFAULT_OPS_PORT } from '@deja/config';
import { startOpsServer, type OpsServerOptions } from '@deja/telemetry';
import { acceptWaiting } from './accept-queue.ts';
import type { Stopping } from './stopping.ts';
import { listenWide } from './wide-port.ts';

/** The client's API, and the admin surface where it has a port of its own. */
export type Surface = 'client' | 'admin';

/** What a process says of its health, and its metrics. */
export type Ops = Omit<OpsServerOptions, 'host' | 'port' | 'workers'>;

/** How requests, signals and questions about health reach a gateway process: by ports of its own, or, where it is one worker of several, through the primary process. */
export interface Front {
  /** Whoever is to hear that the process is to stop. */
  heed(stopping: Stopping): void;
  /** From now on health and metrics are told. Resolves with the port, where there is one. */
  tell(ops: Ops): Promise<number | null>;
  /** From now on `app` serves what comes to `port`. Resolves with the real one of a port 0; null where it is not this process's. */
  listen(surface: Surface, app: NestFastifyApplication, port: number): Promise<number | null>;
  /** All that is to be served is being served. */
  opened(): void;
  /** Nothing new is to come any more: resolves when nothing does. What a process listens at itself, closes later. */
  closing(): Promise<void>;
  /** Nothing is told any more either. */
  close(): Promise<void>;
}

/** The front of a gateway that is one process. */
export class OwnFront implements Front {
  private readonly environment: Pick<Environment, 'host' | 'opsPort'>;
  private ops: Awaited<ReturnType<typeof startOpsServer>> | null = null;
  /** Of the handles that a port has besides its application's. */
  private readonly further: Server[] = [];

  constructor(environment: Pick<Environment, 'host' | 'opsPort'>) {
    this.environment = environment;
  }

  heed(stopping: Stopping): void {
    stopping.heed(process);
  }

  async tell(ops: Ops): Promise<number> {
    const { host, opsPort } = this.environment;
    this.ops = await startOpsServer({ ...ops, host, port: opsPort ?? DEFAULT_OPS_PORT.gateway });
    return this.ops.port;
  }

  async listen(_surface: Surface, app: NestFastifyApplication, port: number): Promise<number | null> {
    const http = app.getHttpServer();
    this.further.push(...(await listenWide({
      host: this.environment.host,
      port,
      listen: async (at) => {
        await app.listen(at);
        return http;
      },
      // As Node's own server of HTTP has its connections.
      another: () => createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => void http.emit('connection', socket)),
    })));
    const address = http.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  opened(): void {}

  /** What comes from now on, comes by the application's own handle. */
  async closing(): Promise<void> {
    await acceptWaiting(this.further);
    for (const server of this.further) server.close();
  }

  async close(): Promise<void> {
    await this.ops?.close();
  }
}
