import type { Invoice, ReplyOf, Role } from '@deja/admin-api';
import type { AdminAnswer, CacheSavings, OperationRecord, UsageRpc } from '@deja/contracts';
import { openPool, type Pool } from '@deja/postgres';
import { v7 } from 'uuid';
import type { UsageOperation } from '../src/admin/admin-call.ts';
import { UsageCalls } from '../src/admin/usage-calls.ts';
import { JobStore } from '../src/jobs/job-store.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { settledRows } from '../src/ledger/rows.ts';
import { cacheSavings } from '../src/queries/cache-savings.ts';
import { LedgerReader } from '../src/queries/ledger-reader.ts';
import { database, logger, migrateLedger, type Cleanup } from './infrastructure.ts';
import { attemptRecord, operationRecord } from './records.ts';

/** When questions are asked, Unix ms. */
export const NOW = Date.UTC(2026, 2, 31, 12);
export const HOUR_MS = 3_600_000;
/** What a record has of an answer from the cache. */
export const hit = { cache: 'HIT-EXACT', usageSource: 'cache', attempts: [], savedPrice: attemptRecord().price } satisfies Partial<OperationRecord>;

export interface Asking {
  scope?: string | null;
  after?: string | null;
  params?: Record<string, string>;
  nowMs?: number;
  role?: Role;
}

/** A ledger, and who answers questions about it. */
export class Questions {
  private constructor(
    readonly url: string,
    readonly pool: Pool,
    readonly ledger: Ledger,
    private readonly reader: LedgerReader,
    private readonly calls: UsageCalls,
  ) {}

  static async of(cleanup: Cleanup): Promise<Questions> {
    const { url, pool } = await database(cleanup);
    await migrateLedger(pool);
    const reader = new LedgerReader(openPool(url, { name: 'queries', logger, max: 1 }));
    cleanup.add(() => reader.close());
    // Nobody tests an alert here.
    const alerts = { pool, settings: { look: () => Promise.resolve(), settings: () => null, receivers: () => Promise.resolve([]) } };
    const calls = new UsageCalls({ reader, jobs: new JobStore(pool), alerts, searches: () => true });
    return new Questions(url, pool, new Ledger(pool, { nowMs: () => NOW }), reader, calls);
  }

  async clear(): Promise<void> {
    await this.pool.query('truncate usage.operations, usage.attempts, usage.captures, usage.spend, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days');
  }

  /** Tells the ledger of an operation that was received at a moment (Unix ms). */
  async received(atMs: number, over: Partial<OperationRecord> = {}): Promise<OperationRecord> {
    const record = operationRecord({ id: v7({ msecs: atMs }), receivedAtMs: atMs, ...over });
    await this.ledger.insert({ rows: [settledRows(record)], late: [], rejected: [] });
    return record;
  }

  async ask(operation: UsageOperation, query: unknown, { scope = null, after = null, params = {}, nowMs = NOW, role = 'viewer' }: Asking = {}): Promise<AdminAnswer> {
    return await this.calls.answer({ operation, params, query, body: null, by: { name: 'test', role, tenant: scope }, after, changeId: null }, nowMs, null);
  }

  async list(query: Record<string, string> = {}, asking?: Asking): Promise<ReplyOf<'listRequests'>> {
    return (await this.ask('listRequests', query, asking)).body as ReplyOf<'listRequests'>;
  }

  async usage(query: Record<string, string> = {}, asking?: Asking): Promise<ReplyOf<'getUsage'>> {
    return (await this.ask('getUsage', query, asking)).body as ReplyOf<'getUsage'>;
  }

  async invoice(query: Record<string, string>, asking?: Asking): Promise<Invoice> {
    return (await this.ask('getInvoice', query, asking)).body as Invoice;
  }

  /** Of all tenants and times, unless it says otherwise. */
  async savings(request: Partial<UsageRpc['cache_savings']['request']> = {}): Promise<CacheSavings> {
    return await this.reader.read((client) => cacheSavings(client, { tenant: null, fromMs: 0, toMs: NOW, ...request }));
  }

  async exported(query: Record<string, string>, asking: Asking = {}): Promise<string[]> {
    const lines: string[] = [];
    for (let after: string | null = null; ; ) {
      const answer = await this.ask('exportUsage', query, { ...asking, after });
      lines.push(...(answer.body as string[]));
      after = answer.next;
      if (after === null) return lines;
    }
  }
}
