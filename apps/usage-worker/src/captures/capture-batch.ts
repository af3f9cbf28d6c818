import { idTimeMs, type CapturedExchange, type SealedBody } from '@deja/contracts';
import { z } from 'zod';
import { storable } from '../ledger/json.ts';
import type { CaptureRow } from '../schema/captures.ts';

/** A capture on its way into its table. */
export interface NewCapture extends CaptureRow {
  words: string | null;
}

/** What is in one job: captures to be kept, and how many are not. */
export interface ReadCaptures {
  captures: NewCapture[];
  /** Older than what is kept. */
  expired: number;
  /** Why others could not be read: names the member, and never repeats a value. */
  rejected: string[];
}

const DAY_MS = 86_400_000;
/** Of the ledger: it takes no operation that is older. */
const OLDEST_DAYS = 400;
/** Of Postgres's integer. */
const MAX_BYTES = 2 ** 31 - 1;
/** A tsvector holds a megabyte at most: words of this much text always fit, whatever they are. */
const MAX_WORDS_CHARS = 128 * 1024;

const body = z.object({ sealed: z.base64(), bytes: z.int().min(0).max(MAX_BYTES), truncated: z.boolean() }) satisfies z.ZodType<SealedBody>;
const exchange = z.object({
  operation: z.uuidv7().toLowerCase(),
  tenant: z.string().min(1).max(512),
  mode: z.enum(['metadata', 'full']),
  dataKey: z.string().min(1).max(256),
  request: body.nullable(),
  response: body.nullable(),
  searchText: z.string().nullable(),
}) satisfies z.ZodType<CapturedExchange>;
const batch = z.object({ v: z.literal(1), exchanges: z.array(z.unknown()) });

/** Reads one job at the edge. `retentionDays`: for how long bodies are kept; null where that is not known yet. Never throws: what cannot be read keeps nothing else from being kept. */
export function readCaptures(data: unknown, at: { nowMs: number; retentionDays: number | null }): ReadCaptures {
  const read: ReadCaptures = { captures: [], expired: 0, rejected: [] };
  const whole = batch.safeParse(data);
  if (!whole.success) return { ...read, rejected: [reasonOf(whole.error)] };
  const keptFromMs = at.nowMs - Math.min(at.retentionDays ?? OLDEST_DAYS, OLDEST_DAYS) * DAY_MS;
  for (const raw of whole.data.exchanges) {
    const one = exchange.safeParse(raw);
    if (!one.success) read.rejected.push(reasonOf(one.error));
    else if (idTimeMs(one.data.operation) > at.nowMs + DAY_MS) read.rejected.push('operation: its time lies more than a day in the future');
    else if (startOfDay(idTimeMs(one.data.operation)) + DAY_MS <= keptFromMs) read.expired += 1;
    else read.captures.push(captureOf(one.data));
  }
  return read;
}

function captureOf({ operation, tenant, mode, dataKey, request, response, searchText }: CapturedExchange): NewCapture {
  return {
    operation_id: operation,
    tenant: storable(tenant),
    mode,
    data_key: storable(dataKey),
    request: bytesOf(request),
    request_bytes: request?.bytes ?? null,
    request_truncated: request?.truncated ?? null,
    response: bytesOf(response),
    response_bytes: response?.bytes ?? null,
    response_truncated: response?.truncated ?? null,
    words: searchText === null || searchText === '' ? null : storable(searchText.slice(0, MAX_WORDS_CHARS)),
  };
}

const bytesOf = (body: SealedBody | null): Buffer | null => (body === null ? null : Buffer.from(body.sealed, 'base64'));
/** Days are kept and dropped whole. */
const startOfDay = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

function reasonOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join('.') || 'batch'}: ${issue?.message ?? 'not a capture'}`;
}
