import { createHash } from 'node:crypto';

/** An event that cannot become rows, as it came. */
export interface RejectedEvent {
  reason: string;
  raw: unknown;
}

/** The row of an event that was set aside: its text as it came, under the text's own SHA-256, so that the same event is there once. */
export function rejectedRow({ reason, raw }: RejectedEvent): { digest: string; reason: string; raw: string } {
  const text = typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? 'undefined');
  return { digest: createHash('sha256').update(text).digest('hex'), reason, raw: text };
}
