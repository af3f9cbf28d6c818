/**
 * What went wrong with Qdrant: `not_ready` its collection is not prepared yet, `unreachable` no connection, or one that broke twice, `too_late` no
 * reply within the time-out, `rate_limited` status 429 or the pause after one, `missing` the collection is gone, `refused` any other status.
 */
export type QdrantTrouble = 'not_ready' | 'unreachable' | 'too_late' | 'rate_limited' | 'missing' | 'refused';

/** The one error of the Qdrant index. Its message never has a key, a URL or a text in it. */
export class QdrantFailure extends Error {
  readonly trouble: QdrantTrouble;
  /** HTTP status; null where there was no reply. */
  readonly status: number | null;

  constructor(trouble: QdrantTrouble, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'QdrantFailure';
    this.trouble = trouble;
    this.status = options.status ?? null;
  }
}

/**
 * The client's errors have no class of their own that could be asked for (the status errors are built anew for each call), so they are told by their
 * shape: `name`, `status`, `data.status.error`, `cause.code`.
 */
export function failureOf(error: unknown): QdrantFailure {
  if (error instanceof QdrantFailure) return error;
  const name = text(member(error, 'name'));
  if (name === 'QdrantClientTimeoutError' || name === 'AbortError') return new QdrantFailure('too_late', 'Qdrant did not answer in time');
  const status = member(error, 'status');
  // The client makes 429 an error of its own, whose `retry_after` is only the first character of the header, so it is not looked at.
  if (name === 'QdrantClientResourceExhaustedError' || status === 429) return new QdrantFailure('rate_limited', 'Qdrant limits the rate of requests', { status: 429 });
  if (typeof status === 'number') {
    const said = text(member(member(member(error, 'data'), 'status'), 'error')) || text(member(error, 'data')) || text(member(error, 'message'));
    return new QdrantFailure(status === 404 ? 'missing' : 'refused', `Qdrant answered ${status}: ${said.slice(0, 300)}`, { status });
  }
  const code = text(member(member(error, 'cause'), 'code')) || text(member(error, 'code'));
  return new QdrantFailure('unreachable', `Qdrant cannot be reached (${code || name || 'unknown reason'})`, { cause: error });
}

/** The server ends connections that idle for 5 s while the client would still use them, so the first use of one may fail without anything being wrong. */
export function isBrokenConnection(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(text(member(member(error, 'cause'), 'code')));
}

const member = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
