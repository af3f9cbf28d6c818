import { zstdCompressSync } from 'node:zlib';
import { inTransaction, openPool, type Pool } from '@deja/postgres';
import type { JobStep } from '../src/jobs/job-kind.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import type { RejectedEvent } from '../src/ledger/rejected-event.ts';
import { listRejectedEvents } from '../src/rejected/list-rejected-events.ts';
import { ReplayRejected } from '../src/rejected/replay-rejected.ts';
import { Cleanup, database, logger, migrateLedger } from './infrastructure.ts';
import { lateAttempt, openOperation, operationRecord } from './records.ts';

const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;

beforeAll(async () => {
  const made = await database(cleanup);
  await migrateLedger(made.pool);
  // The runner's connections, and the ledger's own.
  pool = openPool(made.url, { name: 'jobs', logger, max: 2 });
  cleanup.add(() => pool.end());
  ledger = new Ledger(made.pool);
});
afterAll(() => cleanup.run());
beforeEach(() => pool.query('truncate usage.rejected_events, usage.operations, usage.attempts'));

const setAside = (...rejected: RejectedEvent[]) => ledger.insert({ rows: [], late: [], rejected });
const list = async (query: { limit?: number; cursor?: string } = {}) => inTransaction(pool, (client) => listRejectedEvents(client, { limit: 100, ...query }));
const ids = async (): Promise<string[]> => (await pool.query<{ id: string }>('select id from usage.operations order by id')).rows.map(({ id }) => id);

/** As the runner works at a job; `dies` says after which steps all is lost that was not committed by the ledger itself. */
async function replayed(request: { ids?: string[] } = {}, o: { kind?: ReplayRejected; dies?: (step: number) => boolean } = {}): Promise<JobStep> {
  const kind = o.kind ?? new ReplayRejected(ledger);
  let progress: unknown = null;
  for (let n = 0; ; n++) {
    const step: JobStep | null = await inTransaction(pool, async (client) => {
      const done = await kind.step(client, request, progress);
      if (o.dies?.(n) === true) throw new Error('killed');
      return done;
    }).catch((error: Error) => {
      if (error.message !== 'killed') throw error;
      return null;
    });
    if (step === null) continue;
    if (step.done) return step;
    progress = JSON.parse(JSON.stringify(step.progress));
  }
}

describe('events that were set aside', () => {
  test('are listed the latest first, page by page, with what they are cut to 16 KiB', async () => {
    for (let i = 0; i < 7; i++) await setAside({ reason: `no. ${i}`, raw: { i } });
    await setAside({ reason: 'long', raw: `${'é'.repeat(10_000)}` });
    const first = await list({ limit: 3 });
    expect([first.has_more, first.data.map(({ reason }) => reason)]).toEqual([true, ['long', 'no. 6', 'no. 5']]);
    expect(Buffer.byteLength(first.data[0]!.event)).toBe(16 * 1024);
    expect(first.data[1]).toMatchObject({ object: 'rejected_event', event: '{"i":6}' });
    const second = await list({ limit: 3, cursor: first.next_cursor! });
    const third = await list({ limit: 3, cursor: second.next_cursor! });
    expect([...second.data, ...third.data].map(({ reason }) => reason)).toEqual(['no. 4', 'no. 3', 'no. 2', 'no. 1', 'no. 0']);
    expect([third.has_more, third.next_cursor]).toEqual([false, null]);
    await expect(list({ cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_value' });
  });

  test('are recorded when they can be read after all; the others stay, with the reason of now', async () => {
    const [good, packed, other, shadow] = [operationRecord(), operationRecord(), operationRecord(), lateAttempt(operationRecord().id)];
    const late = { ...operationRecord(), tenant: 5 };
    await setAside(
      { reason: 'of an earlier version', raw: good },
      { reason: 'of an earlier version', raw: { v: 1, events: [other, shadow, late] } },
      { reason: 'of an earlier version', raw: { v: 2, z: zstdCompressSync(JSON.stringify([packed])).toString('base64') } },
      { reason: 'of an earlier version', raw: '{"kind":"ope' },
      { reason: 'of an earlier version', raw: openOperation() },
    );
    const before = (await list()).data.find(({ event }) => event === '{"kind":"ope');
    expect(await replayed()).toMatchObject({ done: true, result: { events_set_aside: 5, recorded: 4, still_rejected: 3 } });
    expect(await ids()).toEqual([good.id, packed.id, other.id].toSorted());
    expect((await pool.query<{ id: string }>('select id from usage.attempts where shadow')).rows).toEqual([{ id: shadow.attempt.id }]);
    const left = (await list()).data;
    expect(left.map(({ reason }) => reason.split(':')[0] ?? '').toSorted()).toEqual(['event', 'kind', 'tenant']);
    expect(left.find(({ reason }) => reason.startsWith('tenant'))?.event).toBe(JSON.stringify(late));
    expect(left.find(({ event }) => event === '{"kind":"ope')).toMatchObject({ id: before!.id, rejected_at: before!.rejected_at });
  });

  test('are tried alone where they are named', async () => {
    const records = [operationRecord(), operationRecord()];
    await setAside(...records.map((raw) => ({ reason: 'r', raw })));
    const chosen = (await list()).data.find(({ event }) => event === JSON.stringify(records[1]))!;
    expect(await replayed({ ids: [chosen.id] })).toMatchObject({ result: { events_set_aside: 1, recorded: 1 } });
    expect([await ids(), (await list()).data.map(({ event }) => event)]).toEqual([[records[1]!.id], [JSON.stringify(records[0])]]);
  });

  test('are recorded once, in whichever step the job is killed', async () => {
    const records = Array.from({ length: 120 }, () => operationRecord());
    await setAside(...records.map((raw) => ({ reason: 'r', raw })));
    expect(await replayed({}, { dies: (step) => step % 2 === 0 })).toMatchObject({ result: { events_set_aside: 120, recorded: 120, still_rejected: 0 } });
    expect(await ids()).toEqual(records.map(({ id }) => id).toSorted());
    expect((await list()).data).toEqual([]);
  });

  test('that Postgres refuses stay and say so, and keep no other back', async () => {
    const [good, bad] = [operationRecord(), operationRecord()];
    const refuses = {
      insert: async (batch: Parameters<Ledger['insert']>[0]) => {
        if (batch.rows.some(({ operation }) => operation.id === bad.id)) throw Object.assign(new Error('value out of range'), { code: '22003' });
        return await ledger.insert(batch);
      },
    };
    await setAside({ reason: 'r', raw: { v: 1, events: [bad, good] } });
    await replayed({}, { kind: new ReplayRejected(refuses) });
    expect(await ids()).toEqual([good.id]);
    expect((await list()).data.map(({ reason, event }) => [reason, event])).toEqual([['Postgres refuses it: value out of range', JSON.stringify(bad)]]);
  });
});
