import { createHash } from 'node:crypto';
import type { RejectedEvent } from '../ledger/ledger.ts';

/** The row of an event that was set aside: its text as it came, under the text's own SHA-256, so that the same event is there once. */
export function rejectedRow({ reason, raw }: RejectedEvent): { digest: string; reason: string; raw: string } {
  const text = typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? 'undefined');
  return { digest: createHash('sha256').update(text).digest('hex'), reason, raw: text };
}
