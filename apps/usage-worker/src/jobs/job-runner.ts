import { setTimeout as delay } from 'node:timers/promises';
import type { Counter, Meter } from '@opentelemetry/api';
import { DejaError } from '@deja/contracts';
import { inTransaction, isPassing, type Pool } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import type { JobRow } from '../schema/jobs.ts';
import type { JobKind } from './job-kind.ts';

const LOOK_MS = 1_000;
/** A job of a runner that was killed is another's after this. */
const LEASE_MS = 30_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** A lock was not to be had within the time that the step waits for one: nothing of it has happened. */
const LOCK_NOT_AVAILABLE = '55P03';

/** The lock on its row is the proof that a job is being worked at, however long a step takes: the lease only has to outlast what lies between two steps. */
const CLAIM = `
  update usage.jobs
  set state = 'running', runner = $2, started_at = coalesce(started_at, now()), lease_until = now() + $3 * interval '1 ms'
  where id = (
    select id from usage.jobs
    where kind = $1 and state in ('waiting', 'running') and (lease_until is null or lease_until < now())
    order by id limit 1 for update skip locked
  )
  returning id`;
const HOLD = `select request, progress from usage.jobs where id = $1 and runner = $2 and state = 'running' for update`;
const ADVANCE = `
  update usage.jobs
  set progress = $2::jsonb, result = $3::jsonb, request = coalesce($4::jsonb, request), state = case when $5 then 'done' else 'running' end,
    finished_at = case when $5 then clock_timestamp() end, runner = case when $5 or $7 then null else runner end, lease_until = clock_timestamp() + $6 * interval '1 ms'
  where id = $1`;
const FAIL = `update usage.jobs set state = 'failed', error = $3, finished_at = now(), runner = null where id = $1 and runner = $2`;
const GIVE_BACK = `update usage.jobs set runner = null, lease_until = now() where id = $1 and runner = $2 and state = 'running'`;

export interface JobRunnerParts {
  pool: Pool;
  /** One of each. Jobs of other kinds are left to replicas that know them. */
  kinds: readonly JobKind[];
  /** Names this process among all. */
  instance: string;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  meter: Meter;
  leaseMs?: number;
}

/** Works at the jobs in `usage.jobs`, one of each kind at a time. Any number of replicas may: each job is with one of them. */
export class JobRunner {
  private readonly parts: JobRunnerParts;
  private readonly leaseMs: number;
  private readonly finished: Counter;
  private readonly stopping = new AbortController();
  private woken = Promise.withResolvers<void>();
  private loops: Promise<void>[] = [];

  constructor(parts: JobRunnerParts) {
    this.parts = parts;
    this.leaseMs = parts.leaseMs ?? LEASE_MS;
    this.finished = parts.meter.createCounter('deja.usage.jobs', { description: 'Jobs that ended, by kind and result: done, failed' });
    for (const { kind } of parts.kinds) for (const result of ['done', 'failed']) this.finished.add(0, { kind, result });
  }

  start(): void {
    this.loops = this.parts.kinds.map((kind) => this.loop(kind));
  }

  /** A job was made here: look now. */
  wake(): void {
    this.woken.resolve();
    this.woken = Promise.withResolvers();
  }

  /** Resolves when the steps under way are over. What is not done goes on elsewhere. */
  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
  }

  private get signal(): AbortSignal {
    return this.stopping.signal;
  }

  private async loop(kind: JobKind): Promise<void> {
    while (!this.signal.aborted) {
      const { promise: woken } = this.woken;
      const id = await this.claim(kind.kind).catch((error: unknown) => {
        // While Postgres is away, whoever writes to it says so.
        if (!isPassing(error)) this.parts.logger.warn({ err: error, kind: kind.kind }, 'jobs could not be looked for');
        return null;
      });
      if (id !== null) await this.work(kind, id);
      else await Promise.race([woken, this.pause(LOOK_MS)]);
    }
  }

  private async claim(kind: string): Promise<string | null> {
    const { rows: [claimed] } = await this.parts.pool.query<{ id: string }>(CLAIM, [kind, this.parts.instance, this.leaseMs]);
    return claimed?.id ?? null;
  }

  /** Step after step, until there is nothing left that this process is to do. */
  private async work(kind: JobKind, id: string): Promise<void> {
    let failure: string | null = null;
    for (let pauseMs = FIRST_PAUSE_MS; !this.signal.aborted; ) {
      try {
        const isOver: boolean = failure === null ? await this.step(kind, id) : await this.fail(kind, id, failure);
        if (isOver) return;
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        failure ??= this.failureOf(error, kind, id);
        await this.pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    await this.parts.pool.query(GIVE_BACK, [id, this.parts.instance]).catch(() => undefined); // its lease runs out
  }

  /** True when the job is over, or not this process's. */
  private async step(kind: JobKind, id: string): Promise<boolean> {
    const { pool, instance } = this.parts;
    const isOver = await inTransaction(pool, async (client) => {
      const { rows: [job] } = await client.query<Pick<JobRow, 'request' | 'progress'>>(HOLD, [id, instance]);
      if (job === undefined) return 'lost';
      const { progress, result, done, pauseMs, request } = await kind.step(client, job.request, job.progress, id);
      const isLeft = pauseMs !== undefined;
      await client.query(ADVANCE, [id, JSON.stringify(progress ?? null), JSON.stringify(result), request === undefined ? null : JSON.stringify(request), done, isLeft ? pauseMs : this.leaseMs, isLeft]);
      return done ? 'done' : isLeft ? 'later' : null;
    });
    if (isOver === 'done') this.finished.add(1, { kind: kind.kind, result: 'done' });
    return isOver !== null;
  }

  private async fail(kind: JobKind, id: string, message: string): Promise<true> {
    const { rowCount } = await this.parts.pool.query(FAIL, [id, this.parts.instance, message]);
    if (rowCount === 1) this.finished.add(1, { kind: kind.kind, result: 'failed' });
    return true;
  }

  /** What the job's caller is told of it; null where the step is to be tried again. */
  private failureOf(error: unknown, { kind }: JobKind, job: string): string | null {
    const { logger, instance } = this.parts;
    if (isPassing(error) || (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) {
      logger.warn({ err: error, kind, job }, 'a step of a job was broken off and is tried again');
      return null;
    }
    logger.error({ err: error, kind, job }, 'a job failed');
    return error instanceof DejaError ? error.message : `It failed for a reason that the log of ${instance} tells.`;
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.signal }).catch(() => undefined); // stopped: the loops end
  }
}
