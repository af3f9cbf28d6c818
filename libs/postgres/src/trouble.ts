/** What this library writes to: pino's shape, so that every app's logger fits. */
export interface PostgresLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Connection-level trouble as Node and pg report it; the other words are the server's own classes below. */
const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ECONNABORTED']);
/** pg's own complaints, which carry no code. */
const WORDS = /connection terminated|timeout exceeded when trying to connect|query read timeout|client was closed|not queryable|connection error|connection is closed/i;
/**
 * SQLSTATE classes of a server that cannot serve now but may later: connection exception (08), transaction rollback
 * such as a deadlock (40), out of resources (53), operator intervention such as a shutdown or start-up (57), system error (58).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const PASSING_CLASSES = new Set(['08', '40', '53', '57', '58']);
/** A server that was told to be read-only, as a standby is during a failover. */
const READ_ONLY = '25006';

/** Whether the same statement may succeed later, because the trouble is the database's state and not what was asked of it. */
export function isPassing(error: unknown): boolean {
  return causesOf(error).some(({ code, message }) => {
    if (typeof code !== 'string') return WORDS.test(message);
    return NETWORK.has(code) || code === READ_ONLY || (code.length === 5 && PASSING_CLASSES.has(code.slice(0, 2)));
  });
}

/** What Postgres or the network said, without the wrapping of drizzle. */
export function reasonOf(error: unknown): string {
  return causesOf(error).at(-1)?.message ?? String(error);
}

interface Cause {
  message: string;
  code?: unknown;
  cause?: unknown;
  /** Node reports a host with several addresses as one error that holds the others. */
  errors?: unknown[];
}

/** An error and what it was caused by, outermost first. */
function causesOf(error: unknown): Cause[] {
  if (!isCause(error)) return [];
  return [error, ...(Array.isArray(error.errors) ? error.errors.flatMap(causesOf) : []), ...causesOf(error.cause)];
}

const isCause = (value: unknown): value is Cause => typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
