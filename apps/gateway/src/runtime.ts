import type { Environment } from '@deja/config';
import type { Logger, Telemetry } from '@deja/telemetry';

/** What this process is: its environment, its name, its logger and telemetry. Made in main.ts, injected everywhere. */
export class Runtime {
  constructor(
    readonly environment: Environment,
    /** Unique for each start of a process. */
    readonly instance: string,
    readonly logger: Logger,
    readonly telemetry: Telemetry,
    /** How long this process's open operations outlive it, in seconds. */
    readonly leaseS: number,
  ) {}
}
