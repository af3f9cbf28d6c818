import { isAtLeast, LEDGER, ROLES, USAGE, type OwnedBy, type QueryOf } from '@deja/admin-api';
import { DejaError, type AdminAnswer, type CacheSavings, type UsageRpc } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import { z } from 'zod';
import { cacheSavings } from './cache-savings.ts';
import { exportUsage } from './export-usage.ts';
import { getInvoice } from './get-invoice.ts';
import { getUsage } from './get-usage.ts';
import type { LedgerReader } from './ledger-reader.ts';
import type { Asked } from './question.ts';
import { getRequest, listRequests } from './requests.ts';

type UsageOperation = OwnedBy<'usage-worker'>;
const OPERATIONS = [...USAGE, ...LEDGER].filter(({ owner }) => owner === 'usage-worker');

/** Of UsageRpc's `admin`: what a question about the ledger needs. */
export const LEDGER_CALL = z.object({
  operation: z.enum(['listRequests', 'getRequest', 'getUsage', 'exportUsage', 'getInvoice'] satisfies UsageOperation[]),
  params: z.record(z.string(), z.string()),
  query: z.unknown(),
  by: z.object({ role: z.enum(ROLES), tenant: z.string().nullable() }),
  after: z.string().nullable(),
});
export type LedgerCall = z.output<typeof LEDGER_CALL>;

/** The admin API's questions about the ledger. */
export class UsageQueries {
  private readonly reader: LedgerReader;

  constructor(reader: LedgerReader) {
    this.reader = reader;
  }

  /** `deadlineMs`: how long the caller waits from `nowMs` (Unix) on. Throws what the caller is to be told. */
  async answer(call: LedgerCall, nowMs: number, deadlineMs: number | null): Promise<AdminAnswer> {
    const operation = OPERATIONS.find(({ id }) => id === call.operation);
    if (operation === undefined || !isAtLeast(call.by.role, operation.role)) throw new DejaError('permission_denied', 'Your role does not allow this.');
    const work = workOf(call, { scope: call.by.tenant, nowMs });
    const { body, next } = await this.reader.read(work, deadlineMs);
    return { body, next, etag: null, sealedSecret: null, replayed: false };
  }

  async cacheSavings(request: UsageRpc['cache_savings']['request'], deadlineMs: number | null): Promise<CacheSavings> {
    return await this.reader.read((client) => cacheSavings(client, request), deadlineMs);
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}

type Work = (client: PoolClient) => Promise<{ body: unknown; next: string | null }>;

/** Queries are read before a connection is taken: a bad one costs none. */
function workOf(call: LedgerCall, asked: Asked): Work {
  switch (call.operation) {
    case 'listRequests': {
      const query = queryOf('listRequests', call.query);
      return async (client) => ({ body: await listRequests(client, asked, query), next: null });
    }
    case 'getRequest':
      return async (client) => ({ body: await getRequest(client, asked, call.params['id'] ?? ''), next: null });
    case 'getUsage': {
      const query = queryOf('getUsage', call.query);
      return async (client) => ({ body: await getUsage(client, asked, query), next: null });
    }
    case 'getInvoice': {
      const query = queryOf('getInvoice', call.query);
      return async (client) => ({ body: await getInvoice(client, asked, query), next: null });
    }
    case 'exportUsage': {
      const query = queryOf('exportUsage', call.query);
      return async (client) => {
        const { lines, next } = await exportUsage(client, asked, query, call.after);
        return { body: lines, next };
      };
    }
  }
}

/** Throws a 400 that names the parameter. */
function queryOf<Id extends UsageOperation>(id: Id, given: unknown): QueryOf<Id> {
  const read = OPERATIONS.find((operation) => operation.id === id)?.query?.safeParse(given ?? {});
  if (read?.success) return read.data as QueryOf<Id>;
  const [issue] = read?.error.issues ?? [];
  const param = issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? '') : String(issue?.path[0] ?? '');
  const reason = issue?.code === 'unrecognized_keys' ? 'there is no such parameter' : (issue?.message ?? 'it does not fit');
  throw new DejaError('invalid_value', `Invalid value for '${param}': ${reason}.`, { param });
}
