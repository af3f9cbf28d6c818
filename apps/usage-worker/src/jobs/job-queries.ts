import type { JobObject, QueryOf, ReplyOf } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cursorAt, placeAt } from '../queries/cursor.ts';
import { Values, type Asked } from '../queries/question.ts';
import type { JobRow } from '../schema/jobs.ts';
import { jobObject } from './job-object.ts';

const PLACE = z.object({ before: z.uuid() });

/** The latest first. Of one tenant only those that are for it alone. */
export async function listJobs(client: PoolClient, asked: Asked, query: QueryOf<'listJobs'>): Promise<ReplyOf<'listJobs'>> {
  const values = new Values();
  const where = ['true', ...scoped(asked, values)];
  if (query.cursor !== undefined) where.push(`id < ${values.at(placeAt('jobs', PLACE, query.cursor).before)}`);
  const { rows } = await client.query<JobRow>(`select * from usage.jobs where ${where.join(' and ')} order by id desc limit ${query.limit + 1}`, values.all);
  const data = rows.slice(0, query.limit).map(jobObject);
  const last = rows.length > query.limit ? data.at(-1) : undefined;
  return { object: 'list', data, has_more: last !== undefined, next_cursor: last === undefined ? null : cursorAt('jobs', { before: last.id }) };
}

/** Throws `not_found` also for what is another tenant's. */
export async function getJob(client: PoolClient, asked: Asked, id: string): Promise<JobObject> {
  if (!z.uuid().safeParse(id).success) throw unknownJob();
  const values = new Values();
  const where = [`id = ${values.at(id)}`, ...scoped(asked, values)];
  const { rows: [row] } = await client.query<JobRow>(`select * from usage.jobs where ${where.join(' and ')}`, values.all);
  if (row === undefined) throw unknownJob();
  return jobObject(row);
}

const scoped = (asked: Asked, values: Values): string[] => (asked.scope === null ? [] : [`request ->> 'tenant' = ${values.at(asked.scope)}`]);
const unknownJob = (): DejaError => new DejaError('not_found', 'There is no such job.', { param: 'id' });
