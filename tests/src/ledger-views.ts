import { zstdDecompressSync } from 'node:zlib';
import type { Invoice, RequestObject, UsageRow } from '@deja/admin-api';
import { nanoUsd, usdText } from '@deja/contracts';
import type { TestCluster } from '@deja/testing';
import { parquetReadObjects } from 'hyparquet';
import type { AdminClient } from './admin-client.ts';

/** What a tenant's requests come to. Money is nano-USD. */
export interface Figures {
  requests: number;
  cost: bigint;
  saved: bigint;
  /** Requests whose cost is unknown. */
  unpriced: number;
  /** That were bought: those of hits are not. */
  promptTokens: number;
  completionTokens: number;
}

/** By what `usage` can be grouped so that its rows add up to all there is; by tag, where no request has two. */
const GROUPINGS = ['minute', 'hour', 'day', 'week', 'month', 'key', 'user', 'model', 'requested_model', 'provider', 'endpoint', 'cache', 'price_version', 'tag', 'user,tag', 'day,key,model,price_version', 'hour&time_zone=Asia/Kathmandu'];
/** How much one page has, so that there are several. */
const PAGE = 25;

/** What a tenant's requests come to by every way of asking, by the name of the way. */
export async function everyView(cluster: TestCluster, admin: AdminClient, tenant: string): Promise<Record<string, Figures>> {
  const rows = await requestsOf(admin, tenant);
  const usage = await Promise.all(['', ...GROUPINGS].map(async (by): Promise<[string, Figures]> => [`usage by ${by}`, addedUp((await usageOf(admin, tenant, by)).map(ofUsage))]));
  const invoices = await invoicesOf(admin, tenant, rows);
  const exported = (format: string): Promise<Response> => fetch(`${cluster.url}/admin/v1/usage/export?tenant=${tenant}&format=${format}`, { headers: { authorization: `Bearer ${cluster.adminKey}` } });
  return {
    'rows in Postgres': await inPostgres(cluster, tenant),
    'requests': addedUp(rows.map(ofRequest)),
    ...Object.fromEntries(usage),
    'lines of invoices': addedUp(invoices.flatMap(({ lines }) => lines.map(ofLine)), { saved: sum(invoices, ({ saved_usd: saved }) => nanoUsd(saved)) }),
    'totals of invoices': addedUp(invoices.flatMap(({ lines }) => lines.map(ofLine)), {
      requests: count(invoices, ({ requests }) => requests), cost: sum(invoices, ({ cost_usd: cost }) => nanoUsd(cost)), saved: sum(invoices, ({ saved_usd: saved }) => nanoUsd(saved)),
      unpriced: count(invoices, ({ unpriced_requests: unpriced }) => unpriced),
    }),
    'export as jsonl': addedUp((await (await exported('jsonl')).text()).split('\n').filter((line) => line !== '').map((line) => ofRequest(JSON.parse(line) as RequestObject))),
    'export as csv': addedUp(csvRows(await (await exported('csv')).text()).map(ofColumns)),
    'export as parquet': addedUp((await parquetRows(await exported('parquet'))).map(ofColumns)),
  };
}

/** All rows of a tenant, a page at a time. */
export async function requestsOf(admin: AdminClient, tenant: string): Promise<RequestObject[]> {
  return (await pages(admin, `requests?tenant=${tenant}`)) as RequestObject[];
}

export const usageOf = async (admin: AdminClient, tenant: string, groupBy = ''): Promise<UsageRow[]> =>
  (await pages(admin, `usage?tenant=${tenant}${groupBy === '' ? '' : `&group_by=${groupBy}`}`)) as UsageRow[];

async function pages(admin: AdminClient, path: string): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let cursor: string | null = null; ; ) {
    const { data, next_cursor: next } = await admin.done('GET', `${path}&limit=${PAGE}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    all.push(...(data as unknown[]));
    if (next === null || next === undefined) return all;
    cursor = next;
  }
}

/** Of every month in which one of these was received. */
async function invoicesOf(admin: AdminClient, tenant: string, rows: readonly RequestObject[]): Promise<Invoice[]> {
  const months = [...new Set(rows.map(({ received_at: at }) => String(at).slice(0, 7)))];
  return Promise.all(months.map(async (month) => (await admin.done('GET', `invoices?tenant=${tenant}&month=${month}`)) as unknown as Invoice));
}

/** Lines of the invoices of every month in which the tenant had requests. */
export const invoiceLines = async (admin: AdminClient, tenant: string): Promise<Invoice['lines']> => (await invoicesOf(admin, tenant, await requestsOf(admin, tenant))).flatMap(({ lines }) => lines);

async function inPostgres(cluster: TestCluster, tenant: string): Promise<Figures> {
  const bought = (column: string): string => `coalesce(sum(${column}) filter (where usage_source <> 'cache'), 0)::int`;
  const [row] = await cluster.sql<{ requests: number; cost: string; saved: string; unpriced: number; prompt: number; completion: number }>(
    `select count(*)::int as requests, coalesce(sum(cost_nano_usd), 0)::text as cost, coalesce(sum(saved_nano_usd), 0)::text as saved,
       (count(*) filter (where cost_nano_usd is null))::int as unpriced, ${bought('prompt_tokens')} as prompt, ${bought('completion_tokens')} as completion
     from usage.operations where tenant = $1`,
    [tenant],
  );
  return { requests: row!.requests, cost: BigInt(row!.cost), saved: BigInt(row!.saved), unpriced: row!.unpriced, promptTokens: row!.prompt, completionTokens: row!.completion };
}

/** What was bought upstream for a tenant's requests, nano-USD; shadows are not theirs. */
export async function attemptsCost(cluster: TestCluster, tenant: string): Promise<bigint> {
  const [row] = await cluster.sql<{ cost: string }>('select coalesce(sum(a.cost_nano_usd), 0)::text as cost from usage.attempts a join usage.operations o on o.id = a.operation_id where o.tenant = $1 and not a.shadow', [tenant]);
  return BigInt(row!.cost);
}

const ofUsage = (row: UsageRow): Figures =>
  ({ requests: row.requests, cost: nanoUsd(row.cost_usd ?? '0'), saved: nanoUsd(row.saved_usd), unpriced: row.unpriced_requests, promptTokens: row.prompt_tokens, completionTokens: row.completion_tokens });
const ofLine = (line: Invoice['lines'][number]): Figures =>
  ({ requests: line.requests, cost: nanoUsd(line.cost_usd ?? '0'), saved: 0n, unpriced: line.unpriced_requests, promptTokens: line.prompt_tokens, completionTokens: line.completion_tokens });
const ofRequest = ({ usage, ...row }: RequestObject): Figures => ofColumns({ ...row, prompt_tokens: usage?.prompt_tokens, completion_tokens: usage?.completion_tokens });

/** A row of a table, or what has the same members; '' and null are nothing. */
function ofColumns(row: { [column: string]: unknown }): Figures {
  const text = (column: string): string => {
    const value = row[column];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const tokens = (column: string): number => (text('usage_source') === 'cache' ? 0 : Number(text(column)));
  const money = (column: string): bigint => (text(column) === '' ? 0n : nanoUsd(text(column)));
  return { requests: 1, cost: money('cost_usd'), saved: money('saved_usd'), unpriced: text('cost_usd') === '' ? 1 : 0, promptTokens: tokens('prompt_tokens'), completionTokens: tokens('completion_tokens') };
}

/** RFC 4180; no field here has a line's end in it. */
function csvRows(text: string): Record<string, string>[] {
  const [header = [], ...records] = text.split('\n').filter((line) => line !== '').map((line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain));
  return records.map((record) => Object.fromEntries(header.map((name, i) => [name, record[i] ?? ''])));
}

/** With the exact dollars of the integer columns: the reader makes floating-point numbers of decimals. */
async function parquetRows(response: Response): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({ file: await response.arrayBuffer(), compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) } });
  return rows.map((row) => {
    const exact = (dollars: string, nanoDollars: string): string | null => {
      const nano = row[nanoDollars] as bigint | null;
      if (nano !== null && Math.round(Number(row[dollars]) * 1e9) !== Number(nano)) throw new Error(`${dollars} is not ${nanoDollars}: ${String(row[dollars])}, ${nano}`);
      return nano === null ? null : usdText(nano);
    };
    return { ...row, cost_usd: exact('cost_usd', 'cost_nano_usd'), saved_usd: exact('saved_usd', 'saved_nano_usd') };
  });
}

function addedUp(all: readonly Figures[], known: Partial<Figures> = {}): Figures {
  return {
    requests: count(all, ({ requests }) => requests), cost: sum(all, ({ cost }) => cost), saved: sum(all, ({ saved }) => saved), unpriced: count(all, ({ unpriced }) => unpriced),
    promptTokens: count(all, ({ promptTokens }) => promptTokens), completionTokens: count(all, ({ completionTokens }) => completionTokens), ...known,
  };
}

const sum = <T>(all: readonly T[], of: (one: T) => bigint): bigint => all.reduce((total, one) => total + of(one), 0n);
const count = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
