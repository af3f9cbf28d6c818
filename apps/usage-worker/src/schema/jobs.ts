import type { JobObject } from '@deja/admin-api';

/** A row of `usage.jobs`, as the driver reads it. */
export interface JobRow {
  id: string;
  kind: JobObject['kind'];
  state: JobObject['state'];
  request: Record<string, unknown>;
  progress: unknown;
  result: Record<string, unknown>;
  error: string | null;
  created_by: string;
  created_at: Date;
  finished_at: Date | null;
}
