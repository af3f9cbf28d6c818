import { setTimeout as wait } from 'node:timers/promises';
import { QdrantClient } from '@qdrant/js-client-rest';
import { failureOf, isBrokenConnection, QdrantFailure, type QdrantTrouble } from './failure.ts';

export interface ConnectionOptions {
  /** `http://` or `https://`, with a path where Qdrant stands behind one. Without a port it is Qdrant's own, 6333. */
  url: string;
  apiKey: string | null;
  /** For one try of a query. */
  timeoutMs: number;
  /** For one try of a write or of an administrative request. */
  writeTimeoutMs: number;
  now: () => number;
  /** Waits before a write is tried again. */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Before a write that the server refused for its rate is tried again. */
const WRITE_PAUSES_MS = [250, 500, 1000, 2000];
/** After the server refused a query for its rate, none is sent for so long; the pause doubles up to the longest. */
const FIRST_QUERY_PAUSE_MS = 250;
const LONGEST_QUERY_PAUSE_MS = 8000;

/**
 * The way to one Qdrant. Queries are on the path of a request, so they have a short time-out and never wait; writes and administration may take longer.
 * All requests are idempotent (the ids are ours), so one whose connection broke is sent again, once. Throws QdrantFailure only.
 */
export class QdrantConnection {
  private readonly queries: QdrantClient;
  private readonly writes: QdrantClient;
  private readonly now: () => number;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  private readonly closing = new AbortController();
  private queriesPausedUntilMs = -Infinity;
  private queryPauseMs = FIRST_QUERY_PAUSE_MS;
  private lastTrouble: QdrantTrouble | null = null;

  constructor(options: ConnectionOptions) {
    this.queries = new QdrantClient(clientOptions(options, options.timeoutMs));
    this.writes = new QdrantClient(clientOptions(options, options.writeTimeoutMs));
    this.now = options.now;
    this.wait = options.wait ?? ((ms, signal) => wait(ms, undefined, { signal }));
  }

  /** Whether the latest request was answered. */
  get answers(): boolean {
    return this.lastTrouble !== 'unreachable' && this.lastTrouble !== 'too_late';
  }

  /** Aborted by `close`. */
  get signal(): AbortSignal {
    return this.closing.signal;
  }

  async query<T>(call: (client: QdrantClient) => Promise<T>): Promise<T> {
    if (this.now() < this.queriesPausedUntilMs) throw new QdrantFailure('rate_limited', 'Qdrant limited the rate of queries a moment ago', { status: 429 });
    try {
      const reply = await this.sent(this.queries, call);
      this.queryPauseMs = FIRST_QUERY_PAUSE_MS;
      return reply;
    } catch (error) {
      if (error instanceof QdrantFailure && error.trouble === 'rate_limited') {
        this.queriesPausedUntilMs = this.now() + this.queryPauseMs;
        this.queryPauseMs = Math.min(this.queryPauseMs * 2, LONGEST_QUERY_PAUSE_MS);
      }
      throw error;
    }
  }

  async write<T>(call: (client: QdrantClient) => Promise<T>): Promise<T> {
    for (const pauseMs of WRITE_PAUSES_MS) {
      try {
        return await this.sent(this.writes, call);
      } catch (error) {
        if (!(error instanceof QdrantFailure) || error.trouble !== 'rate_limited' || this.closing.signal.aborted) throw error;
        await this.pause(pauseMs);
      }
    }
    return this.sent(this.writes, call);
  }

  /** Resolves after so long, or as soon as the connection is closed. */
  async pause(ms: number): Promise<void> {
    try {
      await this.wait(ms, this.closing.signal);
    } catch {
      // closed meanwhile
    }
  }

  close(): void {
    this.closing.abort();
  }

  private async sent<T>(client: QdrantClient, call: (client: QdrantClient) => Promise<T>): Promise<T> {
    try {
      const reply = await call(client).catch((error: unknown) => {
        if (isBrokenConnection(error)) return call(client);
        throw error;
      });
      this.lastTrouble = null;
      return reply;
    } catch (error) {
      const failure = failureOf(error);
      this.lastTrouble = failure.trouble;
      throw failure;
    }
  }
}

type ClientOptions = NonNullable<ConstructorParameters<typeof QdrantClient>[0]>;

/** What the client is made with, so that it reaches exactly this URL, prints nothing, and is answered in one piece. */
export function clientOptions({ url, apiKey }: Pick<ConnectionOptions, 'url' | 'apiKey'>, timeout: number): ClientOptions {
  const { protocol, host, port, pathname } = new URL(url);
  const prefix = pathname.replace(/\/+$/, '');
  return {
    // The client would leave out a path in the URL; it takes it apart from it.
    url: `${protocol}//${host}`,
    ...(prefix === '' ? {} : { prefix }),
    // URL drops the port that is the scheme's own, and the client would then take 6333.
    ...(port === '' && /:(80|443)(\/|$)/.test(url.slice(protocol.length)) ? { port: null } : {}),
    timeout,
    // It asks what needs no key and prints what it finds on the console; the start asks for the list of collections instead.
    checkCompatibility: false,
    headers: {
      // Compressed replies come in several writes, and a quarter of them then waits 40 ms for a delayed acknowledgement.
      'accept-encoding': 'identity',
      // As a header of its own: given as `apiKey` over http the client would print a warning for each client made.
      ...(apiKey === null ? {} : { 'api-key': apiKey }),
    },
  };
}

/** Whether a key would cross a network unencrypted. */
export function exposesKey({ url, apiKey }: Pick<ConnectionOptions, 'url' | 'apiKey'>): boolean {
  const { protocol, hostname } = new URL(url);
  return apiKey !== null && protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
