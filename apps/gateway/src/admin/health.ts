import type { CredentialObject } from '@deja/admin-api';
import type { Trouble } from '@deja/contracts';

/** A moment in Unix ms as the wire has it: RFC 3339, UTC. 0 and null are no moment. */
export const wireTime = (ms: number | null): string | null => (ms === null || ms === 0 ? null : new Date(ms).toISOString());

/** `probation`: its pause is over, and one request at a time tries whether it has healed. */
export type Health = CredentialObject['health'];

export function healthOf({ trouble, unavailableUntilMs }: { trouble: Trouble | null; unavailableUntilMs: number }, nowMs: number): Health {
  if (unavailableUntilMs > nowMs) return 'out';
  return trouble === null ? 'healthy' : 'probation';
}
