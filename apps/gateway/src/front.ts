import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Environment } from '@deja/config';
import { DEFAULT_OPS_PORT } from '@deja/config';
import { startOpsServer, type OpsServerOptions } from '@deja/telemetry';
import type { Stopping } from './stopping.ts';

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
    await app.listen(port, this.environment.host);
    const address = app.getHttpServer().address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  opened(): void {}

  async closing(): Promise<void> {}

  async close(): Promise<void> {
    await this.ops?.close();
  }
}
