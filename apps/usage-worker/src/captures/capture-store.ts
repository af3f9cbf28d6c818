import type { CapturedExchange, SealedBody } from '@deja/contracts';
import type { Pool, PoolClient } from '@deja/postgres';
import type { CaptureRow } from '../schema/captures.ts';
import type { NewCapture } from './capture-batch.ts';
import { CapturePartitions } from './capture-partitions.ts';

/** Of one statement. Postgres takes 65,535 parameters; a driver's buffer is better not that full. */
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
    // One parameter a value, so that bytes travel as bytes.
    const { rowCount } = await this.pool.query(insertOf(captures.length), captures.flatMap(valuesOf));
    return rowCount ?? 0;
  }
}

const COLUMNS = 'operation_id, tenant, mode, data_key, request, request_bytes, request_truncated, response, response_bytes, response_truncated, search';
const ROW = ['uuid', 'text', 'text', 'text', 'bytea', 'integer', 'boolean', 'bytea', 'integer', 'boolean', 'text'];

const valuesOf = (c: NewCapture): unknown[] => [
  c.operation_id, c.tenant, c.mode, c.data_key, c.request, c.request_bytes, c.request_truncated, c.response, c.response_bytes, c.response_truncated, c.words,
];

function insertOf(rows: number): string {
  const row = (n: number): string => {
    const values = ROW.map((type, i) => `$${n * ROW.length + i + 1}::${type}`);
    return `(${values.slice(0, -1).join(', ')}, to_tsvector('simple', ${values.at(-1)}))`;
  };
  return `insert into usage.captures (${COLUMNS}) values ${Array.from({ length: rows }, (_, n) => row(n)).join(', ')} on conflict (operation_id) do nothing`;
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
