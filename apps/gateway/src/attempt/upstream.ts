import { Readable } from 'node:stream';
import type { OutboundRule, Resolve } from '@deja/config';
import type { Timeouts } from '@deja/contracts';
import type { Agent } from 'undici';
import { providerAgent, type ConnectionBounds } from './connections.ts';
import { DispatchedCall, failureOfError, type ReplyHead } from './dispatched-call.ts';
import { AttemptFailure, type ReadFailure, type ReplyHeaders } from './failure.ts';
import { errorText, readWhole } from './reply-body.ts';

export { failureOfError, readWhole };

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
  headers?: ReplyHeaders;
  body: AsyncIterable<Uint8Array>;
}

/** Settings change; connections made under former ones are let go in the end. */
const MAX_AGENTS = 8;
/** Most calls go to a few addresses; those that name an object are many. */
const MAX_PLACES = 1000;

/** Nobody asked for it, and nothing is inflated here: a few bytes of it may stand for gigabytes. */
function isCompressed(headers: ReplyHeaders): boolean {
  const encoding = headers['content-encoding'];
  return encoding !== undefined && /\b(?:gzip|deflate|compress|br|zstd)\b/i.test(String(encoding));
}

/** Where a URL leads, as undici takes it. */
interface Place {
  origin: string;
  path: string;
}

/**
 * Pooled connections to all providers. Redirects are not followed: a provider's address is configuration, not an answer. What was connected to
 * under one rule is never used under another: each has its own connections, which keep to the address they were made to.
 */
export class Upstream {
  /** Least recently used first. */
  private readonly agents = new Map<string, Agent>();
  private readonly places = new Map<string, Place>();

  /** `resolve` finds the addresses of hosts. */
  constructor(
    private readonly resolve?: Resolve,
    private readonly bounds?: ConnectionBounds,
  ) {}

  /** Resolves with the head of a successful answer; throws an AttemptFailure for anything else. */
  async send(call: UpstreamCall): Promise<UpstreamReply> {
    const { status, headers, body } = await this.dispatched(call);
    if (isCompressed(headers)) {
      void body.return();
      throw status >= 200 && status < 300 ? new AttemptFailure('malformed', { headers, cause: new Error('the reply is compressed') }) : call.failure(status, headers, '');
    }
    if (status >= 200 && status < 300) return { status, contentType: String(headers['content-type'] ?? ''), headers, body };
    throw call.failure(status, headers, await errorText(body));
  }

  async close(): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent.close()));
  }

  private dispatched({ url, method, headers, body, stream, timeouts, signal, checked = null }: UpstreamCall): Promise<ReplyHead> {
    const { connect_ms: connectMs, first_byte_ms: firstByteMs, unary_ms: unaryMs, idle_ms: idleMs } = timeouts;
    const { origin, path } = this.placeOf(url);
    const sent = new DispatchedCall(signal, body instanceof Readable ? body : null, connectMs);
    try {
      this.agent(connectMs, checked).dispatch({ origin, path, method, headers, body, headersTimeout: stream ? firstByteMs : unaryMs, bodyTimeout: idleMs }, sent);
    } catch (error) {
      sent.onResponseError(null, error);
    }
    return sent.head;
  }

  private placeOf(url: string): Place {
    const known = this.places.get(url);
    if (known !== undefined) return known;
    const { origin, pathname, search } = new URL(url);
    const place = { origin, path: pathname + search };
    if (this.places.size >= MAX_PLACES) this.places.clear();
    this.places.set(url, place);
    return place;
  }

  private agent(connectMs: number, checked: OutboundRule | null): Agent {
    const key = `${connectMs} ${checked?.key ?? 'file'}`;
    const known = this.agents.get(key);
    const agent = known ?? providerAgent(connectMs, checked, this.resolve, this.bounds);
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
