import type { RequestObject } from '@deja/admin-api';
import { nanoUsd } from '@deja/contracts';
import type { SchemaElement } from 'hyparquet';

type Value = string | number | bigint | boolean | null;
export interface ParquetColumn {
  element: SchemaElement;
  of(request: RequestObject): Value;
}

// What DuckDB, pandas and Spark read as text, an instant and a decimal, each without being told. Lists and objects are JSON text, as
// readers differ in what they make of Parquet's own JSON type.
const TEXT: Partial<SchemaElement> = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
const INT32: Partial<SchemaElement> = { type: 'INT32' };
const INT64: Partial<SchemaElement> = { type: 'INT64' };
const DOUBLE: Partial<SchemaElement> = { type: 'DOUBLE' };
const BOOLEAN: Partial<SchemaElement> = { type: 'BOOLEAN' };
const INSTANT: Partial<SchemaElement> = { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' } };
/** Dollars, exact to nine places: the integer behind it is nano-USD. */
const USD: Partial<SchemaElement> = { type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: 9, logical_type: { type: 'DECIMAL', precision: 18, scale: 9 } };

const column = (name: string, type: Partial<SchemaElement>, of: ParquetColumn['of']): ParquetColumn => ({ element: { name, repetition_type: 'OPTIONAL', ...type }, of });
const nano = (usd: string | null): bigint | null => (usd === null ? null : nanoUsd(usd));
const instant = (moment: string | null): bigint | null => (moment === null ? null : BigInt(Date.parse(moment)));

/** What a file has of a request: the columns of the table in text, with money twice, as dollars and as integer nano-USD, and all attempts. */
export const PARQUET_COLUMNS: readonly ParquetColumn[] = [
  column('id', TEXT, ({ id }) => id),
  column('tenant', TEXT, ({ tenant }) => tenant),
  column('key', TEXT, ({ key }) => key),
  column('user', TEXT, ({ user }) => user),
  column('tags', TEXT, ({ tags }) => JSON.stringify(tags)),
  column('endpoint', TEXT, ({ endpoint }) => endpoint),
  column('requested_model', TEXT, (request) => request.requested_model),
  column('model', TEXT, ({ model }) => model),
  column('provider', TEXT, ({ provider }) => provider),
  column('deployment', TEXT, ({ deployment }) => deployment),
  column('credential', TEXT, ({ credential }) => credential),
  column('status', INT32, ({ status }) => status),
  column('outcome', TEXT, ({ outcome }) => outcome),
  column('error_code', TEXT, (request) => request.error_code),
  column('cache', TEXT, ({ cache }) => cache),
  column('cache_reason', TEXT, (request) => request.cache_reason),
  column('cache_entry', TEXT, (request) => request.cache_entry),
  column('cache_similarity', DOUBLE, (request) => request.cache_similarity),
  column('stream', BOOLEAN, ({ stream }) => stream),
  column('prompt_tokens', INT32, ({ usage }) => usage?.prompt_tokens ?? null),
  column('cached_tokens', INT32, ({ usage }) => usage?.cached_tokens ?? null),
  column('completion_tokens', INT32, ({ usage }) => usage?.completion_tokens ?? null),
  column('reasoning_tokens', INT32, ({ usage }) => usage?.reasoning_tokens ?? null),
  column('total_tokens', INT64, ({ usage }) => (usage === null ? null : BigInt(usage.total_tokens))),
  column('usage_source', TEXT, (request) => request.usage_source),
  column('cost_usd', USD, (request) => nano(request.cost_usd)),
  column('cost_nano_usd', INT64, (request) => nano(request.cost_usd)),
  column('saved_usd', USD, (request) => nano(request.saved_usd)),
  column('saved_nano_usd', INT64, (request) => nano(request.saved_usd)),
  column('saved_ms', DOUBLE, (request) => request.saved_ms),
  column('price_version', TEXT, (request) => request.price_version),
  column('safety_flags', TEXT, (request) => JSON.stringify(request.safety_flags)),
  column('received_at', INSTANT, (request) => instant(request.received_at)),
  column('first_byte_ms', DOUBLE, (request) => request.first_byte_ms),
  column('duration_ms', DOUBLE, (request) => request.duration_ms),
  column('trace_id', TEXT, (request) => request.trace_id),
  column('attempts', TEXT, ({ attempts }) => JSON.stringify(attempts)),
];
