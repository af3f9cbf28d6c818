import { Readable } from 'node:stream';
import { DejaError, type Candidate, type Plan, type Price, type Settings, type Usage } from '@deja/contracts';
import { Call, type CallWatchers } from '../attempt/call.ts';
import { credentialHeaders } from '../attempt/credential-headers.ts';
import type { CredentialLeases } from '../attempt/credential-leases.ts';
import { AttemptFailure, finalError, type ReadFailure } from '../attempt/failure.ts';
import { failureOfError, type Upstream, type UpstreamReply } from '../attempt/upstream.ts';
import { openAiFailure } from '../dialects/openai/failure.ts';
import { serverOf } from '../dialects/openai/compatible-servers.ts';
import type { Operation } from '../operation/operation.ts';

/** A call whose answer is passed on as bytes. */
export interface RawQuestion {
  method: 'GET' | 'POST' | 'DELETE';
  url(candidate: Candidate): string;
  headers: Record<string, string>;
  /** Text, or a function that gives the bytes; null when they can be given no more. */
  body: ((candidate: Candidate) => string | AsyncIterable<Uint8Array> | null) | null;
  /** null: what such a call costs is not known. */
  price: Price | null;
  promptTokens: number;
}

/** An answer whose head has arrived. `finish` is to be called once, when its body has ended or failed. */
export interface RawAnswer {
  candidate: Candidate;
  reply: UpstreamReply;
  call: Call;
}

/** Calls that nobody bills: what is asked of the provider is only to keep, list or forget something. */
export const UNBILLED: Price = Object.freeze({ version: 'unbilled', input: 0, cachedInput: 0, cacheWrite: 0, output: 0, longContext: null });

/** What such a call uses. */
export const NOTHING_USED: Usage = Object.freeze({ promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 });

/** Upstream calls that deja only passes on: the same custody, records and deadlines as any other. */
export class RawCalls {
  constructor(
    private readonly upstream: Upstream,
    private readonly leases: CredentialLeases,
    private readonly watchers: CallWatchers,
  ) {}

  /** Candidate after candidate, as long as the body can still be given. Throws the DejaError for the client. */
  async run(operation: Operation, question: RawQuestion, plan: Plan, settings: Settings): Promise<RawAnswer> {
    const failures: AttemptFailure[] = [];
    for (const candidate of new Set(plan.candidates)) {
      if (failures.length >= settings.retries.max_attempts) break;
      const body = question.body === null ? null : question.body(candidate);
      if (question.body !== null && body === null) break; // an upload has gone by and cannot be repeated
      try {
        return await this.once(operation, question, candidate, body, settings);
      } catch (error) {
        if (error instanceof DejaError) throw error; // the client's own body is at fault, or must not leave
        const failure = failureOfError(error, operation.signal);
        failures.push(failure);
        if (!failure.retryable) break;
      }
    }
    const last = failures.at(-1);
    throw last?.kind === 'cancelled' ? last : finalError(failures);
  }

  /** One call. Throws an AttemptFailure, or what the body's own source throws (a form that is not well formed). */
  private async once(operation: Operation, question: RawQuestion, candidate: Candidate, body: string | AsyncIterable<Uint8Array> | null, settings: Settings): Promise<RawAnswer> {
    const uploads = body !== null && typeof body !== 'string';
    const call = new Call(operation, candidate, { genAiOperation: operation.endpoint, stream: true, uploads, promptTokens: question.promptTokens, price: question.price }, settings, this.watchers);
    const source = uploads ? new BodySource(body, () => call.bodySent()) : null;
    let credential: string | null = null;
    try {
      credential = candidate.credential === null ? null : await this.leases.value(candidate.credential);
      const reply = await this.upstream.send({
        method: question.method,
        url: question.url(candidate),
        headers: { ...question.headers, ...(credential !== null && credentialHeaders(candidate.deployment.kind, credential)), ...call.traceHeaders },
        body: source?.readable ?? (body as string | null),
        stream: true,
        timeouts: settings.timeouts,
        signal: call.signal,
        failure: rawFailure(candidate),
      });
      call.firstByte();
      call.record.status = reply.status;
      return { candidate, reply, call };
    } catch (error) {
      // A source that broke off says nothing about the provider.
      const failure = source?.error && !call.signal.aborted ? new AttemptFailure('cancelled', { cause: source.error }) : failureOfError(error, call.signal);
      call.finish(failure);
      if (source?.error) throw source.error;
      throw credential === null ? failure : failure.without(credential);
    }
  }
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
