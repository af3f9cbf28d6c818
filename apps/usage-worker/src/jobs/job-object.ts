import type { JobObject } from '@deja/admin-api';
import type { JobRow } from '../schema/jobs.ts';

/** A job as the admin API has it. */
export const jobObject = (row: JobRow): JobObject => ({
  object: 'job',
  id: row.id,
  kind: row.kind,
  state: row.state,
  request: row.request,
  result: row.result,
  error: row.error,
  created_by: row.created_by,
  created_at: row.created_at.toISOString(),
  finished_at: row.finished_at?.toISOString() ?? null,
});
