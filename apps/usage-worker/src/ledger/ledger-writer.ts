import { setTimeout as delay } from 'node:timers/promises';
import { isPassing } from '@deja/postgres';
import type { Logger, Telemetry } from '@deja/telemetry';
import type { UsageMetrics } from '../metrics.ts';
import { spansOfBatch } from './batch-span.ts';
import type { Inserted, Ledger, LedgerBatch, LedgerEvent } from './ledger.ts';

/** The writer was stopped before this could be recorded: give it back to where it came from. */
export class NotRecorded extends Error {
  constructor() {
    super('the usage-worker stops before these events could be recorded');
    this.name = 'NotRecorded';
  }
}

interface Waiting {
  events: LedgerEvent[];
  resolve: () => void;
  reject: (reason: NotRecorded) => void;
}

/**
 * A batch begins with so many events; or so long after its first, and so long after the batch before it. It takes all that have come by then, up to the most. A transaction costs
 * about the same whatever is in it, and the larger it is, the fewer sums an event changes.
 */
const BATCH_EVENTS = 500;
const BATCH_MS = 20;
const BATCH_EVERY_MS = 100;
const MOST_EVENTS = 2_000;
/** While one batch changes the sums, which others would have to wait for, the next writes its rows. */
const BATCHES_AT_ONCE = 2;
/** More than that is better left where it is until there is room: what waits here as objects costs the collector more than what waits on a queue as text. */
const MOST_WAITING = 2 * MOST_EVENTS;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Data exception, integrity violation, program limit: the row's fault, not the database's state. */
const ROW_FAULTS = new Set(['22', '23', '54']);

/**
 * Gathers events for a moment and records them together; a second batch is under way only while there are many. While Postgres cannot take
 * them it holds them and tries again: whoever handed them over simply waits.
 */
export class LedgerWriter {
  private waiting: Waiting[] = [];
  private waitingEvents = 0;
  /** Those whom `room` keeps waiting, the first first. */
  private readonly outside: (() => void)[] = [];
  private timer: NodeJS.Timeout | null = null;
  private begunMs = -Infinity;
  private readonly running = new Set<Promise<void>>();
  private readonly stopped = new AbortController();
  /** False from a failed insert until one succeeds. */
  healthy = true;

  constructor(
    private readonly ledger: Pick<Ledger, 'insert'>,
    private readonly metrics: UsageMetrics,
    private readonly telemetry: Pick<Telemetry, 'tracer'>,
    private readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>,
  ) {}

  /** Resolves when there is room for more events; whoever is let in calls `record` next. Who has events anyway need not ask. */
  room(): Promise<void> {
    if (this.stopped.signal.aborted || (this.outside.length === 0 && this.waitingEvents < MOST_WAITING)) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.outside.push(resolve);
    return promise;
  }

  /** Resolves when the events are committed. Rejects only with NotRecorded, when the writer was stopped before that. */
  record(events: LedgerEvent[]): Promise<void> {
    if (this.stopped.signal.aborted) return Promise.reject(new NotRecorded());
    if (events.length === 0) {
      this.letIn();
      return Promise.resolve();
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.waiting.push({ events, resolve, reject });
    this.waitingEvents += events.length;
    this.schedule(BATCH_MS);
    this.letIn();
    return promise;
  }

  private schedule(leastMs: number): void {
    if (this.waitingEvents >= BATCH_EVENTS) this.start();
    else if (this.waiting.length > 0) this.timer ??= setTimeout(() => this.start(), Math.max(leastMs, this.begunMs + BATCH_EVERY_MS - performance.now()));
  }

  /** One at a time: each lets in the next, as long as there is room. */
  private letIn(): void {
    if (this.waitingEvents < MOST_WAITING) this.outside.shift()?.();
  }

  /** Gives up what cannot be recorded now: everyone who waits gets NotRecorded. Idempotent. */
  async stop(): Promise<void> {
    this.stopped.abort();
    for (const { reject } of this.waiting.splice(0)) reject(new NotRecorded());
    this.waitingEvents = 0;
    for (const resolve of this.outside.splice(0)) resolve(); // to be told by `record`
    await Promise.all(this.running);
  }

  private start(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (this.running.size > 0 && (this.running.size >= BATCHES_AT_ONCE || this.waitingEvents < BATCH_EVENTS)) return; // whoever ends first sees to it
    const run = this.run().finally(() => {
      this.running.delete(run);
      this.schedule(0);
    });
    this.running.add(run);
  }

  private async run(): Promise<void> {
    do {
      this.begunMs = performance.now();
      const taken = this.take();
      const recorded = await this.recordAll(taken.flatMap(({ events }) => events));
      for (const { resolve, reject } of taken) {
        if (recorded) resolve();
        else reject(new NotRecorded());
      }
    } while (this.waitingEvents >= BATCH_EVENTS);
  }

  /** Whole submissions, until there are enough. */
  private take(): Waiting[] {
    let events = 0;
    let taken = 0;
    for (const next of this.waiting) {
      if (taken > 0 && events + next.events.length > MOST_EVENTS) break;
      events += next.events.length;
      taken += 1;
    }
    this.waitingEvents -= events;
    const all = this.waiting.splice(0, taken);
    this.letIn();
    return all;
  }

  /** Tries until it works; false when it was stopped before. */
  private async recordAll(events: LedgerEvent[]): Promise<boolean> {
    for (let pauseMs = FIRST_PAUSE_MS; !this.stopped.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.insert(events);
        if (!this.healthy) this.logger.info({}, 'the ledger takes events again');
        this.healthy = true;
        return true;
      } catch (error) {
        if (this.healthy) this.complain(error, events.length);
        this.healthy = false;
        await delay(pauseMs, undefined, { signal: this.stopped.signal }).catch(() => undefined); // stopped: the loop ends
      }
    }
    return false;
  }

  private complain(error: unknown, events: number): void {
    if (isPassing(error)) this.logger.warn({ err: error, events }, 'Postgres does not take events; they are held and tried again');
    else this.logger.error({ err: error, events }, 'the ledger cannot be written; events are held and tried again');
  }

  /** One transaction; where one row spoils it, each half by itself, so that all but that row goes on. */
  private async insert(events: LedgerEvent[]): Promise<void> {
    try {
      await this.insertTogether(events);
    } catch (error) {
      if (!isRowFault(error)) throw error;
      if (events.length > 1) {
        const half = events.length >> 1;
        await this.insert(events.slice(0, half));
        await this.insert(events.slice(half));
        return;
      }
      const [event] = events;
      // Not even setting it aside worked: nothing is lost as long as it is tried again.
      if (!event || 'rejected' in event) throw error;
      await this.insertTogether([{ rejected: { reason: `Postgres refuses it: ${(error as Error).message}`, raw: event.raw } }]);
    }
  }

  private async insertTogether(events: LedgerEvent[]): Promise<void> {
    const batch: LedgerBatch = { rows: [], late: [], rejected: [] };
    for (const event of events) {
      if ('rows' in event) batch.rows.push(event.rows);
      else if ('late' in event) batch.late.push(event.late);
      else batch.rejected.push(event.rejected);
    }
    const spans = spansOfBatch(this.telemetry.tracer, events);
    const startedMs = performance.now();
    let inserted: Inserted | null = null;
    try {
      inserted = await this.ledger.insert(batch);
    } finally {
      spans.end(inserted);
    }
    const unpriced = batch.rows.filter(({ operation }) => operation.cost_nano_usd === null).length;
    this.metrics.recorded(inserted, { rejected: batch.rejected.length, unpriced, durationMs: performance.now() - startedMs });
    for (const { reason } of batch.rejected) this.logger.warn({ reason }, 'a usage event was set aside in usage.rejected_events');
  }
}

function isRowFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.length === 5 && ROW_FAULTS.has(code.slice(0, 2));
}
