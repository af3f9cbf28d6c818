import type { CapturedExchange, SealedBody } from '@deja/contracts';
import type { Pool, PoolClient } from '@deja/postgres';
import { arrayLiteral } from '../ledger/column-arrays.ts';
import type { CaptureRow } from '../schema/captures.ts';
import type { NewCapture } from './capture-batch.ts';
import { CapturePartitions } from './capture-partitions.ts';

/** Of one statement: a driver's buffer is better not that full. */
const MOST_ROWS = 200;
const MOST_BYTES = 16 * 1024 * 1024;
/** "No partition of relation found for row" and a check that failed have this code. */
const CHECK_VIOLATION = '23514';

/** Of these operations, those of erased users. Only what was received before its erasure is: a client that calls its user by a pseudonym does not go unseen. */
const ERASED = `
  select o.id from usage.operations o
  join usage.erasures e on e.pseudonym = o."user" and o.id < usage.first_id_at(e.at)
  where o.id = any($1::uuid[]) and exists (select from usage.erasures)`;

export interface Kept {
  stored: number;
  /** Not kept, because their users were erased. */
  erased: number;
}

/** Captured bodies in Postgres. */
export class CaptureStore {
  readonly partitions: CapturePartitions;

  constructor(private readonly pool: Pool) {
    this.partitions = new CapturePartitions(pool);
  }

  /** Keeps what is not kept yet. In several statements, each by itself: keeping the same again changes nothing. Rejects with Postgres's error. */
  async keep(captures: readonly NewCapture[]): Promise<Kept> {
    const kept: Kept = { stored: 0, erased: 0 };
    // Sorted: two workers with the same ones never wait for each other in a circle.
    for (const part of parts(captures.toSorted((a, b) => (a.operation_id < b.operation_id ? -1 : 1)))) {
      const { stored, erased } = await this.keepTogether(part);
      kept.stored += stored;
      kept.erased += erased;
    }
    return kept;
  }

  /** Looks for erased users afterwards: an erasure that this look misses finds what was inserted here. */
  private async keepTogether(captures: NewCapture[]): Promise<Kept> {
    const stored = await this.insert(captures);
    const { rows } = await this.pool.query<{ id: string }>(ERASED, [captures.map(({ operation_id: operation }) => operation)]);
    if (rows.length === 0) return { stored, erased: 0 };
    await this.pool.query('delete from usage.captures where operation_id = any($1::uuid[])', [rows.map(({ id }) => id)]);
    return { stored: Math.max(0, stored - rows.length), erased: rows.length };
  }

  private async insert(captures: NewCapture[]): Promise<number> {
    const operations = captures.map(({ operation_id: operation }) => operation);
    try {
      await this.partitions.ensureFor(operations);
      return await this.insertOnce(captures);
    } catch (error) {
      if ((error as { code?: unknown }).code !== CHECK_VIOLATION) throw error;
      this.partitions.forget();
      await this.partitions.ensureFor(operations);
      return await this.insertOnce(captures);
    }
  }

  private async insertOnce(captures: NewCapture[]): Promise<number> {
    const { rowCount } = await this.pool.query({ name: 'keep-captures', text: INSERT, values: valuesOf(captures) });
    return rowCount ?? 0;
  }
}

/**
 * One statement for however many rows, which each connection plans once. All bodies travel as one run of bytes, $1: as elements of an array they would have to be written as
 * text, and with a parameter for each value Postgres takes longer to read the statement than to do it.
 */
const INSERT = `
  insert into usage.captures (operation_id, tenant, mode, data_key, request, request_bytes, request_truncated, response, response_bytes, response_truncated, search)
  select operation_id, tenant, mode, data_key, substring($1::bytea from request_from for request_length), request_bytes, request_truncated,
    substring($1::bytea from response_from for response_length), response_bytes, response_truncated, to_tsvector('simple', words)
  from unnest(
    $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::integer[], $8::integer[], $9::boolean[], $10::integer[], $11::integer[], $12::integer[], $13::boolean[], $14::text[]
  ) c (operation_id, tenant, mode, data_key, request_from, request_length, request_bytes, request_truncated, response_from, response_length, response_bytes, response_truncated, words)
  on conflict (operation_id) do nothing`;

function valuesOf(captures: readonly NewCapture[]): (Buffer | string)[] {
  const bytes: Buffer[] = [];
  let next = 1; // as SQL counts
  const placesOf = (bodies: (Buffer | null)[]): [from: (number | null)[], length: (number | null)[]] => {
    const from = bodies.map((body) => {
      if (body === null) return null;
      bytes.push(body);
      next += body.length;
      return next - body.length;
    });
    return [from, bodies.map((body) => body?.length ?? null)];
  };
  const [requestFrom, requestLength] = placesOf(captures.map(({ request }) => request));
  const [responseFrom, responseLength] = placesOf(captures.map(({ response }) => response));
  const columns = [
    captures.map((c) => c.operation_id), captures.map((c) => c.tenant), captures.map((c) => c.mode), captures.map((c) => c.data_key),
    requestFrom, requestLength, captures.map((c) => c.request_bytes), captures.map((c) => c.request_truncated),
    responseFrom, responseLength, captures.map((c) => c.response_bytes), captures.map((c) => c.response_truncated), captures.map((c) => c.words),
  ];
  return [Buffer.concat(bytes), ...columns.map(arrayLiteral)];
}

function* parts(captures: readonly NewCapture[]): Generator<NewCapture[]> {
  let part: NewCapture[] = [];
  let bytes = 0;
  for (const capture of captures) {
    const size = (capture.request?.length ?? 0) + (capture.response?.length ?? 0) + (capture.words?.length ?? 0);
    if (part.length > 0 && (part.length === MOST_ROWS || bytes + size > MOST_BYTES)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(capture);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

/** What is captured of an operation, as it was sealed; null where nothing is, or it is not this tenant's. */
export async function capturedExchange(client: Pick<PoolClient, 'query'>, asked: { operation: string; tenant: string | null }): Promise<CapturedExchange | null> {
  const { rows: [row] } = await client.query<CaptureRow>(
    `select operation_id, tenant, mode, data_key, request, request_bytes, request_truncated, response, response_bytes, response_truncated
    from usage.captures where operation_id = $1 and ($2::text is null or tenant = $2)`,
    [asked.operation, asked.tenant],
  );
  if (row === undefined) return null;
  return {
    operation: row.operation_id,
    tenant: row.tenant,
    mode: row.mode,
    dataKey: row.data_key,
    request: sealedBody(row.request, row.request_bytes, row.request_truncated),
    response: sealedBody(row.response, row.response_bytes, row.response_truncated),
    searchText: null, // only its words are kept, and they are for finding
  };
}

const sealedBody = (sealed: Buffer | null, bytes: number | null, truncated: boolean | null): SealedBody | null =>
  sealed === null || bytes === null || truncated === null ? null : { sealed: sealed.toString('base64'), bytes, truncated };
