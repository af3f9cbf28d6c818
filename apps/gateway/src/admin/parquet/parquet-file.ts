import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import type { RequestObject } from '@deja/admin-api';
import type { ColumnChunk, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { writeColumn } from 'hyparquet-writer/src/column.js';
import { PARQUET_COLUMNS, type ParquetColumn } from './columns.ts';

/** How much of a file is in memory: a group of rows is written when it has so many, or so many characters of JSON. */
export interface GroupSize {
  rows: number;
  chars: number;
}
const GROUP: GroupSize = { rows: 5_000, chars: 8 * 1024 * 1024 };

const PAGE_BYTES = 1024 * 1024;
const ROOT: SchemaElement = { name: 'request', num_children: PARQUET_COLUMNS.length };
const COMPRESSION = { codec: 'ZSTD', compressors: { ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes) } } as const;
/** Readers skip groups by these; of other columns statistics would only make the end of the file longer. */
const WITH_STATISTICS: ReadonlySet<string> = new Set(['id', 'tenant', 'received_at']);
/** Nearly each row has another: looking for repetitions would only take time. */
const UNREPEATED: ReadonlySet<string> = new Set(['id', 'trace_id', 'received_at', 'duration_ms', 'attempts']);

/**
 * Request rows as JSON lines, in portions, to the bytes of one Parquet file. What is in memory at a time is one group of rows, and what the end of
 * the file says of the groups before. Between columns other work has its turn. Throws what the portions throw.
 */
export async function* parquetFile(portions: AsyncIterable<string>, group: GroupSize = GROUP): AsyncGenerator<Uint8Array, void, void> {
  const file = new ParquetFile();
  let chars = 0;
  yield file.taken(); // the client knows at once that its file has begun
  for await (const portion of portions) {
    for (const line of portion.split('\n')) {
      if (line === '') continue;
      file.add(JSON.parse(line) as RequestObject);
      chars += line.length;
      if (file.rows < group.rows && chars < group.chars) continue;
      yield* file.group();
      chars = 0;
    }
  }
  if (file.rows > 0) yield* file.group();
  yield file.end();
}

class ParquetFile {
  private readonly bytes = new ByteWriter();
  private readonly writer = new ParquetWriter({ writer: this.bytes, schema: [ROOT, ...PARQUET_COLUMNS.map(({ element }) => element)], ...COMPRESSION, createdBy: 'deja' });
  private readonly values = PARQUET_COLUMNS.map((): unknown[] => []);
  /** Of the group that is being gathered. */
  rows = 0;

  add(request: RequestObject): void {
    // A usage-worker of another version may not send everything.
    for (const [i, column] of PARQUET_COLUMNS.entries()) this.values[i]?.push(column.of(request) ?? null);
    this.rows += 1;
  }

  /** The bytes of the rows gathered, a column at a time. */
  async *group(): AsyncGenerator<Uint8Array, void, void> {
    const columns: ColumnChunk[] = [];
    for (const [i, column] of PARQUET_COLUMNS.entries()) {
      columns.push(this.column(column, this.values[i] ?? []));
      this.values[i] = [];
      yield this.taken();
      await nextTurn();
    }
    const total = (size: 'total_compressed_size' | 'total_uncompressed_size'): bigint => columns.reduce((sum, { meta_data: chunk }) => sum + (chunk?.[size] ?? 0n), 0n);
    this.writer.row_groups.push({ columns, num_rows: BigInt(this.rows), total_byte_size: total('total_uncompressed_size'), total_compressed_size: total('total_compressed_size') });
    this.writer.num_rows += BigInt(this.rows);
    this.rows = 0;
  }

  /** What says where everything is. */
  end(): Uint8Array {
    void this.writer.finish(); // into memory: it is done when it returns
    return this.taken();
  }

  /** Bytes that were written since the last time. The place in the file goes on. */
  taken(): Uint8Array {
    const bytes = this.bytes.getBytes().slice();
    this.bytes.index = 0;
    return bytes;
  }

  private column({ element }: ParquetColumn, values: unknown[]): ColumnChunk {
    const described = { columnName: element.name, element, schemaPath: [ROOT, element], ...COMPRESSION, stats: WITH_STATISTICS.has(element.name), pageSize: PAGE_BYTES, columnIndex: false, offsetIndex: false, ...(UNREPEATED.has(element.name) && { encoding: 'PLAIN' as const }) };
    const definitionLevels = values.map((value) => (value === null ? 0 : 1));
    return writeColumn({ writer: this.bytes, column: described, pageData: { values, definitionLevels, repetitionLevels: [], maxDefinitionLevel: 1 } }).chunk;
  }
}
