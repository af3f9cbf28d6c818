import type { RequestObject } from '@deja/admin-api';

/** Columns of the export and what they say of a request. */
const COLUMNS: Record<string, (request: RequestObject) => string | number | boolean | null> = {
  id: ({ id }) => id,
  tenant: ({ tenant }) => tenant,
  key: ({ key }) => key,
  user: ({ user }) => user,
  tags: ({ tags }) => Object.entries(tags).map(([key, value]) => `${key}=${value}`).join(','),
  endpoint: ({ endpoint }) => endpoint,
  requested_model: (request) => request.requested_model,
  model: ({ model }) => model,
  provider: ({ provider }) => provider,
  deployment: ({ deployment }) => deployment,
  credential: ({ credential }) => credential,
  status: ({ status }) => status,
  outcome: ({ outcome }) => outcome,
  error_code: (request) => request.error_code,
  cache: ({ cache }) => cache,
  cache_reason: (request) => request.cache_reason,
  cache_entry: (request) => request.cache_entry,
  cache_similarity: (request) => request.cache_similarity,
  stream: ({ stream }) => stream,
  prompt_tokens: ({ usage }) => usage?.prompt_tokens ?? null,
  cached_tokens: ({ usage }) => usage?.cached_tokens ?? null,
  completion_tokens: ({ usage }) => usage?.completion_tokens ?? null,
  reasoning_tokens: ({ usage }) => usage?.reasoning_tokens ?? null,
  total_tokens: ({ usage }) => usage?.total_tokens ?? null,
  usage_source: (request) => request.usage_source,
  cost_usd: (request) => request.cost_usd,
  saved_usd: (request) => request.saved_usd,
  saved_ms: (request) => request.saved_ms,
  price_version: (request) => request.price_version,
  safety_flags: (request) => request.safety_flags.join(','),
  received_at: (request) => request.received_at,
  first_byte_ms: (request) => request.first_byte_ms,
  duration_ms: (request) => request.duration_ms,
  trace_id: (request) => request.trace_id,
  attempts: ({ attempts }) => attempts.length,
};

/** What spreadsheets take for the beginning of a formula (OWASP, CSV injection), also in the full-width forms that some of them read alike. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

export const csvHeader = (): string => Object.keys(COLUMNS).join(',');

/** One request as a record of RFC 4180, without the line's end. null is an empty field. */
export const csvLine = (request: RequestObject): string => Object.values(COLUMNS).map((column) => csvField(column(request))).join(',');

/** Text that a spreadsheet would run gets an apostrophe in front; numbers stay numbers. */
export function csvField(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const harmless = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
