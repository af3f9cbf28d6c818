import type { JobObject } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import { isPassing, type Pool } from '@deja/postgres';
import { rowsJson } from '../ledger/json.ts';
import type { JobRow } from '../schema/jobs.ts';
import { jobObject } from './job-object.ts';

export interface NewJob {
  /** `changeId` of the call that asks for it: asked for again, it is the same job. */
  id: string;
  kind: JobObject['kind'];
  /** As the admin API has it; its `tenant` says whose the job is, and is missing from one of all tenants. */
  request: Record<string, unknown>;
  /** Who asks: name of the actor. */
  by: string;
}

const CREATE = `
  insert into usage.jobs (id, kind, request, created_by)
  select id, kind, request, created_by from json_populate_recordset(null::usage.jobs, $1::json)
  on conflict (id) do nothing`;

/** Takes jobs. */
export class JobStore {
  private readonly pool: Pool;
  private readonly created: () => void;

  /** `created` is called after each: a runner need not wait for its next look. */
  constructor(pool: Pool, created: () => void = () => undefined) {
    this.pool = pool;
    this.created = created;
  }

  /** Idempotent by id. Rejects with `overloaded` while Postgres is away. */
  async create({ id, kind, request, by }: NewJob): Promise<JobObject> {
    try {
      await this.pool.query(CREATE, [rowsJson([{ id, kind, request, created_by: by }])]);
      const { rows: [row] } = await this.pool.query<JobRow>('select * from usage.jobs where id = $1', [id]);
      if (row === undefined) throw new Error(`the job ${id} is gone as soon as it was made`);
      this.created();
      return jobObject(row);
    } catch (error) {
      if (isPassing(error)) throw new DejaError('overloaded', 'The ledger does not answer at the moment. Try again shortly.', { retryAfterMs: 1000, cause: error });
      throw error;
    }
  }
}
