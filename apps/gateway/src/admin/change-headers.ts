import { createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { takesIdempotencyKey, takesIfMatch, type AdminOperation } from '@deja/admin-api';
import { DejaError, type AdminChange } from '@deja/contracts';

/** What `If-Match` may be: one etag as this API writes them, or any. */
const IF_MATCH = /^(?:\*|"\d{1,15}")$/;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{16,255}$/;

/**
 * On which condition, and under which name, a change is to be made. Throws 400 for a header that will not do; on calls that do not take
 * one it is not looked at.
 * @param path of the call, decoded
 * @param body of the call, as its schema has it
 * @param fingerprintKey keeps a fingerprint from telling anything of a body, which may hold a secret
 */
export function conditionsOf(operation: AdminOperation, headers: IncomingHttpHeaders, { path, body, fingerprintKey }: { path: string; body: unknown; fingerprintKey: Buffer }): Omit<AdminChange, 'by'> {
  return {
    ifMatch: takesIfMatch(operation) ? ifMatchIn(headers) : null,
    idempotency: takesIdempotencyKey(operation) ? idempotencyIn(headers, () => createHmac('sha256', fingerprintKey).update(JSON.stringify([operation.method, path, body])).digest('hex')) : null,
  };
}

/** null: any. */
function ifMatchIn(headers: IncomingHttpHeaders): string | null {
  const given = headers['if-match'];
  if (given === undefined || given === '*') return null;
  if (!IF_MATCH.test(given)) throw new DejaError('invalid_value', "Invalid value for 'If-Match': send one etag as it was answered, in its quotes, or *.", { param: 'If-Match' });
  return given;
}

function idempotencyIn(headers: IncomingHttpHeaders, fingerprint: () => string): AdminChange['idempotency'] {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)) throw new DejaError('invalid_value', "Invalid value for 'Idempotency-Key': write 16 to 255 printable ASCII characters.", { param: 'Idempotency-Key' });
  return { key, fingerprint: fingerprint() };
}
