import type { RequestObject } from '@deja/admin-api';
import { usdText } from '@deja/contracts';
import type { PoolClient } from '@deja/postgres';
import type { AttemptRow, OperationRow } from '../schema/tables.ts';

/** As the driver reads a row: money as text, moments as dates. */
type Read<Row> = { [Column in keyof Row]: Row[Column] extends bigint | null ? string | null : Column extends 'received_at' | 'started_at' ? Date : Row[Column] };
type OperationRead = Read<OperationRow>;
type AttemptRead = Read<AttemptRow>;
type Attempt = RequestObject['attempts'][number];

/** Of what one message carries: a page of rows that clients filled with long texts is cut here. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Operations with their attempts, as the admin API has them: those that `where` (SQL on `usage.operations o`) finds, at most `limit`, by id. There
 * are more where `isCut`.
 */
export async function requestObjects(client: PoolClient, where: string, values: unknown[], o: { order: 'asc' | 'desc'; limit: number }): Promise<{ requests: RequestObject[]; isCut: boolean }> {
  const found = await client.query<OperationRead>(`select o.* from usage.operations o where ${where} order by o.id ${o.order} limit ${o.limit + 1}`, values);
  const operations = found.rows.slice(0, o.limit);
  const attempts = await attemptsOf(client, operations.map(({ id }) => id));
  const requests: RequestObject[] = [];
  let bytes = 0;
  for (const operation of operations) {
    const request = requestObject(operation, attempts.get(operation.id) ?? []);
    bytes += Buffer.byteLength(JSON.stringify(request));
    if (bytes > MOST_BYTES && requests.length > 0) break;
    requests.push(request);
  }
  return { requests, isCut: found.rows.length > requests.length };
}

/** Calls that stand beside the others, as late shadows do, come last. */
async function attemptsOf(client: PoolClient, ids: string[]): Promise<Map<string, AttemptRead[]>> {
  if (ids.length === 0) return new Map();
  const { rows } = await client.query<AttemptRead>('select a.* from usage.attempts a where a.operation_id = any($1::uuid[]) order by a.operation_id, a.n = 0, a.n, a.id', [ids]);
  return Map.groupBy(rows, ({ operation_id: id }) => id);
}

function requestObject(row: OperationRead, attempts: AttemptRead[]): RequestObject {
  return {
    object: 'request',
    id: row.id,
    tenant: row.tenant,
    key: row.key,
    user: row.user,
    tags: row.tags,
    endpoint: row.endpoint,
    requested_model: row.requested_model,
    model: row.model,
    provider: row.provider,
    deployment: row.deployment,
    credential: row.credential,
    status: row.status,
    outcome: row.outcome,
    error_code: row.error_code,
    cache: row.cache,
    cache_reason: row.cache_reason,
    cache_entry: row.cache_entry,
    cache_similarity: row.cache_similarity,
    stream: row.stream,
    usage: usageOf(row),
    usage_source: row.usage_source,
    cost_usd: usd(row.cost_nano_usd),
    saved_usd: usd(row.saved_nano_usd),
    saved_ms: row.saved_ms,
    price_version: row.price_version,
    safety_flags: row.safety_flags,
    received_at: row.received_at.toISOString(),
    first_byte_ms: row.first_byte_ms,
    duration_ms: row.duration_ms,
    trace_id: row.trace_id,
    attempts: attempts.map(attemptObject),
  };
}

const attemptObject = (row: AttemptRead): Attempt => ({
  n: row.n,
  provider: row.provider,
  deployment: row.deployment,
  credential: row.credential,
  model: row.model,
  status: row.status,
  outcome: row.outcome,
  error_code: row.error_code,
  hedge: row.hedge,
  shadow: row.shadow,
  usage: usageOf(row),
  cost_usd: usd(row.cost_nano_usd),
  started_at: row.started_at.toISOString(),
  first_byte_ms: row.first_byte_ms,
  duration_ms: row.duration_ms,
});

/** null where no usage is known. Of an orphan only its prompt is. */
function usageOf(row: Pick<OperationRow, 'prompt_tokens' | 'cached_tokens' | 'completion_tokens' | 'reasoning_tokens'>): RequestObject['usage'] {
  const { prompt_tokens: prompt, completion_tokens: completion } = row;
  if (prompt === null && completion === null) return null;
  return {
    prompt_tokens: prompt ?? 0,
    cached_tokens: row.cached_tokens ?? 0,
    completion_tokens: completion ?? 0,
    reasoning_tokens: row.reasoning_tokens ?? 0,
    total_tokens: (prompt ?? 0) + (completion ?? 0),
  };
}

const usd = (nano: string | null): string | null => (nano === null ? null : usdText(BigInt(nano)));
