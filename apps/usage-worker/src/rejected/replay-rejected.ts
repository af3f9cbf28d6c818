import { DejaError } from '@deja/contracts';
import { isPassing, type PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { eventsOf } from '../intake/batch.ts';
import { ledgerEvent } from '../intake/ledger-event.ts';
import type { JobKind, JobStep } from '../jobs/job-kind.ts';
import { rowsJson } from '../ledger/json.ts';
import type { Ledger, LedgerBatch, LedgerEvent } from '../ledger/ledger.ts';
import { rejectedRow, type RejectedEvent } from '../ledger/rejected-event.ts';

/** Of rows in `usage.rejected_events`; a row may be a batch of events. */
const ROWS_A_STEP = 50;

const REQUEST = z.object({ ids: z.array(z.string()).optional() });
const PROGRESS = z.object({ after: z.string(), until: z.string(), read: z.number(), recorded: z.number(), rejected: z.number() });
type Progress = z.output<typeof PROGRESS>;
type ReadableEvent = Exclude<LedgerEvent, { rejected: RejectedEvent }>;

/** What was set aside before the job began, in the order of its ids: each is tried once, also where trying sets something aside anew. */
const NEXT = `
  select digest, raw from usage.rejected_events
  where digest > $1 and rejected_at <= $2::timestamptz and ($3::text[] is null or digest = any($3::text[]))
  order by digest limit ${ROWS_A_STEP} for update`;
const DROP = `delete from usage.rejected_events where digest = any($1::text[])`;
/** What is still not readable stays, and says why. */
const KEEP = `
  insert into usage.rejected_events (digest, reason, raw)
  select digest, reason, raw from json_populate_recordset(null::usage.rejected_events, $1::json)
  on conflict (digest) do update set reason = excluded.reason`;

/** Tries again to record events that were set aside: what was unreadable to an earlier version may not be so any more. */
export class ReplayRejected implements JobKind {
  readonly kind = 'replay_rejected';
  private readonly ledger: Pick<Ledger, 'insert'>;
  private readonly now: () => number;

  constructor(ledger: Pick<Ledger, 'insert'>, now: () => number = Date.now) {
    this.ledger = ledger;
    this.now = now;
  }

  /**
   * The rows of one step. The ledger commits by itself, before this step does: where the step is given again, what it recorded is there, and
   * recording it twice changes nothing.
   */
  async step(client: PoolClient, request: unknown, progress: unknown): Promise<JobStep> {
    const { ids } = readRequest(request);
    const before = progress === null ? await begun(client) : PROGRESS.parse(progress);
    const { rows } = await client.query<{ digest: string; raw: string }>(NEXT, [before.after, before.until, ids ?? null]);
    let recorded = 0;
    const rejected: RejectedEvent[] = [];
    for (const { raw } of rows) {
      const events = eventsOf(parsed(raw)).map((event) => ledgerEvent(event, { nowMs: this.now(), open: 'rejected' }));
      const refused = await this.record(events);
      recorded += events.length - refused.length;
      rejected.push(...refused);
    }
    const kept = new Map(rejected.map(rejectedRow).map((row) => [row.digest, row])); // a statement may touch a row once
    await client.query(DROP, [rows.map(({ digest }) => digest).filter((digest) => !kept.has(digest))]);
    if (kept.size > 0) await client.query(KEEP, [rowsJson([...kept.values()])]);
    const after: Progress = { ...before, after: rows.at(-1)?.digest ?? before.after, read: before.read + rows.length, recorded: before.recorded + recorded, rejected: before.rejected + rejected.length };
    return { progress: after, result: { events_set_aside: after.read, recorded: after.recorded, still_rejected: after.rejected }, done: rows.length < ROWS_A_STEP };
  }

  /** Records what can be; returns the rest. */
  private async record(events: LedgerEvent[]): Promise<RejectedEvent[]> {
    const readable = events.filter((event): event is ReadableEvent => !('rejected' in event));
    const refused = events.flatMap((event) => ('rejected' in event ? [event.rejected] : []));
    try {
      if (readable.length > 0) await this.ledger.insert(batchOf(readable));
      return refused;
    } catch (error) {
      if (isPassing(error)) throw error;
    }
    // One of them spoils the others: each by itself.
    for (const event of readable) {
      await this.ledger.insert(batchOf([event])).catch((error: Error) => {
        if (isPassing(error)) throw error;
        refused.push({ reason: `Postgres refuses it: ${error.message}`, raw: event.raw });
      });
    }
    return refused;
  }
}

function readRequest(request: unknown): z.output<typeof REQUEST> {
  const read = REQUEST.safeParse(request);
  if (read.success) return read.data;
  throw new DejaError('invalid_value', "Invalid value for 'ids': it must be a list of ids.", { param: 'ids' });
}

async function begun(client: PoolClient): Promise<Progress> {
  const { rows } = await client.query<{ until: string }>('select clock_timestamp()::text as until');
  return { after: '', until: rows[0]?.until ?? 'now', read: 0, recorded: 0, rejected: 0 };
}

function batchOf(events: readonly ReadableEvent[]): LedgerBatch {
  return {
    rows: events.flatMap((event) => ('rows' in event ? [event.rows] : [])),
    late: events.flatMap((event) => ('late' in event ? [event.late] : [])),
    rejected: [],
  };
}

/** Text that is no JSON was set aside as it was. */
function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}
