import type { Environment } from '@deja/config';
import type { Logger, Telemetry } from '@deja/telemetry';

/** What this process is: its environment, its name, its logger and telemetry. */
export class Runtime {
  constructor(
    readonly environment: Pick<Environment, 'host' | 'opsPort' | 'redisUrl'>,
    readonly databaseUrl: string,
    readonly instance: string,
    readonly logger: Logger,
    readonly telemetry: Telemetry,
    /** How long a gateway's open operations outlive it, in seconds. */
    readonly leaseS: number,
    /** How long a stop waits for Postgres before it gives jobs back to the queue, in milliseconds. */
    readonly graceMs = 10_000,
  ) {}
}
