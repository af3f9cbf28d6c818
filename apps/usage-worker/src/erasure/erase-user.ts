import type { BodyOf } from '@deja/admin-api';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import type { JobKind, JobStep } from '../jobs/job-kind.ts';
import { eraseAlerts } from './erase-alerts.ts';
import { eraseLateBodies, eraseRequests, type ErasedRequests, type Renamed } from './erase-requests.ts';
import { moveSums } from './move-sums.ts';

const REQUESTS = 2_000;
/** While writers wait, fewer. */
const REQUESTS_LOCKED = 500;
const LOCK_TIMEOUT_MS = 3_000;
/** What a gateway settled just before is in the ledger after this, unless the queue says otherwise. */
const LATE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * `first`: everything that the ledger has. `waiting`: until what was on the queue then is in it too. `last`: that as well. `bodies`: those captured of
 * erased requests that were kept meanwhile, and alerts.
 */
const PROGRESS = z.object({
  stage: z.enum(['first', 'waiting', 'last', 'bodies']),
  pseudonym: z.string(),
  /** Unix ms. */
  since: z.number(),
  /** What can be done while others write is done. */
  isClosing: z.boolean(),
  requests: z.int(),
  bodies: z.int(),
  after: z.string().nullable(),
});
type Progress = z.output<typeof PROGRESS>;

export interface EraseUserParts {
  /** `erased:` and something random: who it was cannot be told from it. */
  pseudonym: () => string;
  /** Unix ms. */
  nowMs: () => number;
  /** How long the oldest job on the usage queue has been there, ms; 0 for none, null where that is not known. */
  unrecordedMs: () => Promise<number | null>;
  lateMs?: number;
}

/**
 * Takes a user's name off everything in the ledger, and deletes what was captured of its requests. Figures stay: each sum that is not of this user
 * alone is the same before and after, and those of the user go on under one pseudonym. Whoever calls itself by the name afterwards is a new user.
 */
export function eraseUser(parts: EraseUserParts): JobKind<BodyOf<'eraseUserData'>> {
  return {
    kind: 'erase_user',
    async step(client, { tenant, user }, given): Promise<JobStep> {
      const progress = given === null ? begun(parts) : PROGRESS.parse(given);
      const next = await stepOf(client, { tenant, user, pseudonym: progress.pseudonym }, progress, parts);
      const { requests, bodies, pseudonym } = next.progress;
      // A job is kept for good, and the name is not.
      return { ...next, result: { requests, bodies, pseudonym }, ...(next.done ? { request: { tenant, user: pseudonym } } : {}) };
    },
  };
}

const begun = ({ pseudonym, nowMs }: EraseUserParts): Progress => ({ stage: 'first', pseudonym: pseudonym(), since: nowMs(), isClosing: false, requests: 0, bodies: 0, after: null });

type Next = Pick<JobStep, 'done' | 'pauseMs'> & { progress: Progress };

async function stepOf(client: PoolClient, who: Renamed, progress: Progress, { nowMs, unrecordedMs, lateMs = LATE_MS }: EraseUserParts): Promise<Next> {
  switch (progress.stage) {
    case 'first': {
      const next = await eraseSome(client, who, progress, nowMs());
      return next.isOver ? { progress: { ...next.progress, stage: 'waiting' }, done: false, pauseMs: lateMs } : { progress: next.progress, done: false };
    }
    case 'waiting': {
      const behindMs = await unrecordedMs();
      if (behindMs === null || (behindMs > 0 && nowMs() - behindMs <= progress.since)) return { progress, done: false, pauseMs: lateMs };
      return { progress: { ...progress, stage: 'last' }, done: false };
    }
    case 'last': {
      const next = await eraseSome(client, who, progress, nowMs());
      return { progress: next.isOver ? { ...next.progress, stage: 'bodies' } : next.progress, done: false };
    }
    case 'bodies': {
      const { bodies, after } = await eraseLateBodies(client, who, progress.after, REQUESTS);
      if (after === null) await eraseAlerts(client, who);
      return { progress: { ...progress, bodies: progress.bodies + bodies, after }, done: after === null };
    }
  }
}

/** Rows first, then sums of former days, while others write; then, in a transaction that holds no other lock, what is left: nothing has the name after it, or it begins again. */
async function eraseSome(client: PoolClient, who: Renamed, progress: Progress, nowMs: number): Promise<{ progress: Progress; isOver: boolean }> {
  if (progress.isClosing) return await eraseRest(client, who, progress);
  const some = await eraseRequests(client, who, REQUESTS);
  const yesterday = new Date((Math.floor(nowMs / DAY_MS) - 1) * DAY_MS);
  const isClosing = some.requests < REQUESTS && !(await moveSums(client, who, { before: yesterday, closes: false }));
  return { progress: { ...withErased(progress, some), isClosing }, isOver: false };
}

/** Nobody writes to the ledger meanwhile: with no row of the name left, all sums of it are of rows that were erased, or that retention dropped. */
async function eraseRest(client: PoolClient, who: Renamed, progress: Progress): Promise<{ progress: Progress; isOver: boolean }> {
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  // In the order in which writers come to them; readers are not kept waiting.
  await client.query('lock table only usage.operations, usage.series in share row exclusive mode');
  const some = await eraseRequests(client, who, REQUESTS_LOCKED);
  const isOver = some.requests < REQUESTS_LOCKED && !(await moveSums(client, who, { before: null, closes: true }));
  // What may still be captured of a request up to now is not kept.
  if (isOver) await client.query('insert into usage.erasures (pseudonym) values ($1) on conflict (pseudonym) do update set at = now()', [who.pseudonym]);
  return { progress: { ...withErased(progress, some), isClosing: false }, isOver };
}

const withErased = (progress: Progress, { requests, bodies }: ErasedRequests): Progress => ({ ...progress, requests: progress.requests + requests, bodies: progress.bodies + bodies });
