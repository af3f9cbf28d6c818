import type { JobObject } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';

export interface JobStep {
  /** Comes with the next step, as JSON brings it back. */
  progress: unknown;
  /** All that was done so far, for people. */
  result: Record<string, unknown>;
  done: boolean;
  /** When the next step makes sense, milliseconds from now; at once where absent. */
  pauseMs?: number;
  /** Takes the place of what was asked for, where that is not to be kept. */
  request?: Record<string, unknown>;
}

/**
 * What jobs of one kind do, in steps. A step is one transaction, which the runner opens and commits together with the progress: whatever dies,
 * each step has happened once or not at all. It is given again when Postgres broke it off (a deadlock, a restart). A DejaError that it throws
 * ends the job as failed, and its message is shown; so does any other error, of which only the log tells.
 */
export interface JobKind<Request = unknown> {
  readonly kind: JobObject['kind'];
  /** `request` is what JobStore.create was given; `progress` what the last step left, null before the first; `job` its id. To be over within seconds. */
  step(client: PoolClient, request: Request, progress: unknown, job: string): Promise<JobStep>;
}
