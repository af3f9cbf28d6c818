import type { LedgerEvent } from '../ledger/ledger.ts';
import { lateRow, orphanedRows, settledRows } from '../ledger/rows.ts';
import { readEvent } from './event.ts';

/**
 * What the ledger makes of one event as it came. An operation that is still open is an orphan when its gateway is gone
 * (`open: 'orphaned'`), and has no business on the queue otherwise. Never throws: what cannot be read is set aside.
 */
export function ledgerEvent(raw: unknown, at: { nowMs: number; open: 'orphaned' | 'rejected' }): LedgerEvent {
  const read = readEvent(raw, at.nowMs);
  if ('rejected' in read) return { rejected: { reason: read.rejected, raw } };
  const { event } = read;
  if (event.kind === 'late_attempt') return { late: lateRow(event), raw };
  if (event.kind === 'settled') return { rows: settledRows(event), raw, traceparent: event.traceparent };
  if (at.open === 'orphaned') return { rows: orphanedRows(event), raw, traceparent: null };
  return { rejected: { reason: 'kind: an operation that is still open was put on the queue', raw } };
}
