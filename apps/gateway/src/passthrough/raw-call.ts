import { Readable } from 'node:stream';
import { DejaError, type Candidate, type Plan, type Price, type Settings, type Usage } from '@deja/contracts';
import { checkedBy } from '../attempt/address.ts';
import { Call, type CallWatchers } from '../attempt/call.ts';
import { CandidateWalk } from '../attempt/candidate-walk.ts';
import { credentialHeaders } from '../attempt/credential-headers.ts';
import type { CredentialLeases } from '../attempt/credential-leases.ts';
import { AttemptFailure, keepingHeaders, type ReadFailure } from '../attempt/failure.ts';
import { NextCalls, type ReadyCall } from '../attempt/next-call.ts';
import { failureOfError, type Upstream, type UpstreamReply } from '../attempt/upstream.ts';
import { openAiFailure } from '../dialects/openai/failure.ts';
import { serverOf } from '../dialects/openai/compatible-servers.ts';
import type { Operation } from '../operation/operation.ts';
import { ReportedUsage, type AskedFor } from './reported-usage.ts';

type Body = string | AsyncIterable<Uint8Array> | null;

/** A call whose answer is passed on as bytes. */
export interface RawQuestion {
  method: 'GET' | 'POST' | 'DELETE';
  url(candidate: Candidate): string;
  headers: Record<string, string>;
  /** Text, or a function that gives the bytes; null when they can be given no more. */
  body: ((candidate: Candidate) => Body) | null;
  /** What calls of this candidate cost; null: nobody knows. */
  price(candidate: Candidate): Price | null;
  asked: AskedFor;
  promptTokens: number;
}

/** An answer whose head has arrived. `finish` is to be called once, when its body has ended or failed. */
export interface RawAnswer {
  candidate: Candidate;
  reply: UpstreamReply;
  call: Call;
  /** What it was asked for with; null where the provider needs none. */
  credential: string | null;
  /** Is to be given the reply's body as it comes. */
  reported: ReportedUsage;
}

/** Calls that nobody bills: what is asked of the provider is only to keep, list or forget something. */
export const UNBILLED: Price = Object.freeze({ version: 'unbilled', input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null });

/** What such a call uses. */
export const NOTHING_USED: Usage = Object.freeze({ promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 });

/** Upstream calls that deja only passes on: the same custody, order of trying, records and deadlines as any other; nothing is asked twice of anybody. */
export class RawCalls {
  private readonly calls: NextCalls;

  constructor(
    private readonly upstream: Upstream,
    leases: CredentialLeases,
    private readonly watchers: CallWatchers,
  ) {
    this.calls = new NextCalls(leases, watchers.admission);
  }

  /** Candidate after candidate, as long as the body can still be given. Throws the DejaError for the client. */
  async run(operation: Operation, question: RawQuestion, plan: Plan, settings: Settings): Promise<RawAnswer> {
    return operation.timed('upstream', () => this.tried(operation, question, plan, settings));
  }

  private async tried(operation: Operation, question: RawQuestion, plan: Plan, settings: Settings): Promise<RawAnswer> {
    const walk = new CandidateWalk(plan, settings.retries, null);
    for (;;) {
      const ready = await this.calls.next(operation, walk, settings.timeouts.total_ms, () => null);
      if (ready === null) throw this.calls.end(operation, walk);
      const body = this.bodyFor(operation, question, ready.candidate);
      if (question.body !== null && body === null) throw this.calls.end(operation, walk); // an upload has gone by and cannot be repeated
      try {
        return await this.once(operation, question, ready, body, settings);
      } catch (error) {
        if (error instanceof DejaError) throw error; // the client's own body is at fault, or must not leave
        walk.failed(ready.candidate, failureOfError(error, operation.signal));
      }
    }
  }

  /** The body, once somebody is there to take it. Where there is none, the call that was admitted is not made. */
  private bodyFor(operation: Operation, question: RawQuestion, candidate: Candidate): Body {
    let body: Body = null;
    let isGiven = question.body === null;
    try {
      body = question.body?.(candidate) ?? null;
      isGiven ||= body !== null;
      return body;
    } finally {
      if (!isGiven) this.watchers.admission?.ended(candidate, operation, { failure: 'cancelled', headers: null, headersAtMs: null, retryAfterMs: null, usedTokens: null });
    }
  }

  /** One call. Throws an AttemptFailure, or what the body's own source throws (a form that is not well formed). */
  private async once(operation: Operation, question: RawQuestion, { candidate, credential }: ReadyCall<null>, body: Body, settings: Settings): Promise<RawAnswer> {
    const uploads = body !== null && typeof body !== 'string';
    const { promptTokens } = question;
    const price = question.price(candidate);
    const call = new Call(operation, candidate, { genAiOperation: operation.endpoint, stream: true, uploads, untimed: true, promptTokens, price }, settings, this.watchers);
    const source = uploads ? new BodySource(body, () => call.bodySent()) : null;
    try {
      const reply = await this.upstream.send({
        method: question.method,
        url: question.url(candidate),
        headers: { ...question.headers, ...(credential !== null && credentialHeaders(candidate.deployment.kind, credential)), ...call.traceHeaders },
        body: source?.readable ?? (body as string | null),
        stream: true,
        timeouts: settings.timeouts,
        signal: call.signal,
        failure: keepingHeaders(rawFailure(candidate)),
        checked: checkedBy(candidate, settings),
      });
      call.firstByte();
      call.answered(reply);
      return { candidate, reply, call, credential, reported: new ReportedUsage(question.asked) };
    } catch (error) {
      // A source that broke off says nothing about the provider.
      const failure = source?.error && !call.signal.aborted ? new AttemptFailure('cancelled', { cause: source.error }) : failureOfError(error, call.signal);
      finishUncounted(call, failure);
      if (source?.error) throw source.error;
      throw credential === null ? failure : failure.without(credential);
    }
  }
}

/** Ends a call of which nobody knows what was made before it failed: what it costs is unknown, where it costs anything. */
export function finishUncounted(call: Call, failure: AttemptFailure): void {
  if (call.record.usage === null && call.record.price?.version !== UNBILLED.version) call.record.price = null;
  call.finish(failure);
}

/** Bytes on their way up; remembers why their source broke off, because the call only knows that it did. */
class BodySource {
  readonly readable: Readable;
  /** What the source threw; null where the call ended for a reason of its own. */
  error: unknown = null;

  constructor(body: AsyncIterable<Uint8Array>, sent: () => void) {
    this.readable = Readable.from(this.watched(body), { objectMode: false, highWaterMark: 64 * 1024 });
    this.readable.on('end', sent);
    this.readable.on('error', () => undefined); // the call tells of it
  }

  private async *watched(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      this.error = error;
      throw error;
    }
  }
}

/**
 * What is not there at an address of this kind, or in no state for this call (a batch that has ended), is the caller's mistake:
 * not a model that the provider does not know, and nothing to try again.
 */
function rawFailure({ deployment }: Candidate): ReadFailure {
  const server = serverOf(deployment);
  return (status, headers, body) => {
    const failure = openAiFailure(status, headers, body, server);
    return status === 404 || status === 409 ? new AttemptFailure('caller', { status, providerError: failure.providerError }) : failure;
  };
}
