import type { Readable } from 'node:stream';
import { egressConnector, type OutboundRule, type Resolve } from '@deja/config';
import type { Timeouts } from '@deja/contracts';
import { Agent, errors, type Dispatcher } from 'undici';
import { AttemptFailure, type ReadFailure } from './failure.ts';

/** One HTTP call to a provider, ready to be sent. */
export interface UpstreamCall {
  method: 'GET' | 'POST' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  /** Text, bytes that come as they are read, or nothing. */
  body: string | Readable | null;
  stream: boolean;
  timeouts: Timeouts;
  signal: AbortSignal;
  failure: ReadFailure;
  /** The address came by the admin API: every connection is held to this rule. Absent or null: it is the file's. */
  checked?: OutboundRule | null;
}

/** A successful answer; its body is read as it comes, and the provider slows down when nobody reads. */
export interface UpstreamReply {
  status: number;
  contentType: string;
  headers?: Record<string, string | string[] | undefined>;
  body: AsyncIterable<Uint8Array>;
}

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;
/** Settings change; connections made under former ones are let go in the end. */
const MAX_AGENTS = 8;

/**
 * Pooled connections to all providers. Redirects are not followed: a provider's address is configuration, not an answer. What was connected to
 * under one rule is never used under another: each has its own connections, which keep to the address they were made to.
 */
export class Upstream {
  /** Least recently used first. */
  private readonly agents = new Map<string, Agent>();

  /** `resolve` finds the addresses of hosts. */
  constructor(private readonly resolve?: Resolve) {}

  /** Resolves with the head of a successful answer; throws an AttemptFailure for anything else. */
  async send(call: UpstreamCall): Promise<UpstreamReply> {
    const reply = await this.request(call);
    if (reply.statusCode >= 200 && reply.statusCode < 300) {
      return { status: reply.statusCode, contentType: String(reply.headers['content-type'] ?? ''), headers: reply.headers, body: guardBody(reply.body, call.signal) };
    }
    throw call.failure(reply.statusCode, reply.headers, await errorText(reply.body));
  }

  async close(): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent.close()));
  }

  private async request(call: UpstreamCall): Promise<Dispatcher.ResponseData> {
    const url = new URL(call.url);
    try {
      return await this.agent(call.timeouts.connect_ms, call.checked ?? null).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: call.method,
        headers: call.headers,
        body: call.body,
        signal: call.signal,
        headersTimeout: call.stream ? call.timeouts.first_byte_ms : call.timeouts.unary_ms,
        bodyTimeout: call.timeouts.idle_ms,
      });
    } catch (error) {
      throw failureOfError(error, call.signal);
    }
  }

  private agent(connectMs: number, checked: OutboundRule | null): Agent {
    const key = `${connectMs} ${checked?.key ?? 'file'}`;
    const known = this.agents.get(key);
    const agent = known ?? new Agent({ connect: egressConnector(connectMs, checked, this.resolve), keepAliveTimeout: 30_000, keepAliveMaxTimeout: 120_000, pipelining: 1 });
    this.agents.delete(key);
    this.agents.set(key, agent);
    const [[oldestKey, oldest] = []] = this.agents;
    if (this.agents.size > MAX_AGENTS && oldestKey !== undefined && oldest !== undefined) {
      this.agents.delete(oldestKey);
      void oldest.close().catch(() => undefined); // what it has under way ends first
    }
    return agent;
  }
}

async function* guardBody(body: Dispatcher.ResponseData['body'], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (error) {
    throw failureOfError(error, signal);
  }
}

/** Reads a whole reply; throws `malformed` when it is absurdly long. */
export async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_WHOLE_BYTES) throw new AttemptFailure('malformed', { cause: new RangeError('the reply is too long') });
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? Buffer.from(chunks[0].buffer, chunks[0].byteOffset, chunks[0].byteLength) : Buffer.concat(chunks);
}

/** The beginning of an error body; what comes after that is not worth waiting for. */
async function errorText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // The status already says what happened; a broken error body adds nothing.
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Whose fault a broken call is: the client's leave, a deadline, or the network. */
export function failureOfError(error: unknown, signal: AbortSignal): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  if (signal.aborted) return signal.reason instanceof AttemptFailure ? signal.reason : new AttemptFailure('cancelled', { cause: error });
  // A connection that never came about is the network's; nothing was asked of the provider.
  const timedOut = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
  return new AttemptFailure(timedOut ? 'timeout' : 'network', { cause: error });
}
