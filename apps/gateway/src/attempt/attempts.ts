import { setTimeout as delay } from 'node:timers/promises';
import { DejaError, type Candidate, type Plan, type Settings } from '@deja/contracts';
import { priceOf } from '@deja/pricing';
import type { Operation } from '../operation/operation.ts';
import { Call, type CallWatchers } from './call.ts';
import type { CredentialLeases } from './credential-leases.ts';
import { credentialHeaders } from './credential-headers.ts';
import type { Exchange, KeptReply, WholeReply } from './exchange.ts';
import { AttemptFailure, finalError } from './failure.ts';
import { RelayedStream } from './relayed-stream.ts';
import { failureOfError, readWhole, type Upstream, type UpstreamReply } from './upstream.ts';

/** An answer whose first content has arrived. From here on nobody else can take over. */
export type Answer =
  | { kind: 'whole'; candidate: Candidate; reply: WholeReply }
  | { kind: 'stream'; candidate: Candidate; head: string; stream: RelayedStream; finish: (failure: AttemptFailure | null) => void };

/** What is to be kept of an answer that came to its end; null when there is nothing. */
export const keptReply = (answer: Answer): KeptReply | null => (answer.kind === 'whole' ? answer.reply : answer.stream.reader.kept());

/** What is asked of whichever candidate answers. */
export interface Question {
  /** OpenTelemetry's name of the operation. */
  genAiOperation: string;
  stream: boolean;
  promptTokens: number;
  /** The request in the candidate's words. */
  exchange(candidate: Candidate): Exchange;
}

/** Makes the planned upstream calls, one after another, until one of them answers. */
export class Attempts {
  constructor(
    private readonly upstream: Upstream,
    private readonly leases: CredentialLeases,
    private readonly watchers: CallWatchers,
  ) {}

  /** Throws the DejaError for the client when no candidate answers, or the failure itself when the client left. */
  async run(operation: Operation, question: Question, plan: Plan, settings: Settings): Promise<Answer> {
    const failures: AttemptFailure[] = [];
    const hopeless = new Set<string>();
    const tried = new Set<Candidate>();
    for (const candidate of plan.candidates) {
      if (failures.length >= settings.retries.max_attempts) break;
      if (hopeless.has(credentialOf(candidate)) || hopeless.has(candidate.deployment.id)) continue;
      if (tried.has(candidate)) await backOff(failures.length, settings.retries.backoff_ms, operation.signal);
      tried.add(candidate);
      try {
        return await this.attempt(operation, question, candidate, settings);
      } catch (error) {
        if (error instanceof DejaError) throw error; // nobody could be asked this
        const failure = failureOfError(error, operation.signal);
        failures.push(failure);
        if (!failure.retryable) break;
        if (failure.kind === 'auth' || failure.kind === 'rate' || failure.kind === 'quota') hopeless.add(credentialOf(candidate));
        if (failure.kind === 'model') hopeless.add(candidate.deployment.id);
      }
    }
    const last = failures.at(-1);
    throw last?.kind === 'cancelled' ? last : finalError(failures);
  }

  /** One call beside the answer, such as a moderation: recorded as a shadow, tried once. Throws an AttemptFailure. */
  async beside(operation: Operation, question: Question, candidate: Candidate, settings: Settings): Promise<WholeReply> {
    const answer = await this.attempt(operation, { ...question, stream: false }, candidate, settings, true);
    if (answer.kind !== 'whole') throw new AttemptFailure('malformed');
    return answer.reply;
  }

  private async attempt(operation: Operation, question: Question, candidate: Candidate, settings: Settings, shadow = false): Promise<Answer> {
    const exchange = question.exchange(candidate);
    const { provider, kind } = candidate.deployment;
    const price = priceOf({ provider, kind, upstreamModel: candidate.upstreamModel, overrides: settings.prices });
    const call = new Call(operation, candidate, { ...question, price, shadow }, settings, this.watchers);
    try {
      const reply = await this.send(call, exchange, candidate, question.stream);
      call.record.status = reply.status;
      if (!shadow) operation.droppedParams = exchange.dropped;
      // Some servers answer whole although a stream was asked for: it is bought, and the client gets it as one.
      const streams = question.stream && !reply.contentType.toLowerCase().startsWith('application/json');
      return streams ? await takeStream(call, candidate, exchange, reply) : await takeWhole(call, candidate, exchange, reply);
    } catch (error) {
      const failure = failureOfError(error, call.signal);
      call.finish(failure);
      throw failure;
    }
  }

  private async send(call: Call, exchange: Exchange, candidate: Candidate, stream: boolean): Promise<UpstreamReply> {
    if (exchange.simulated) return exchange.simulated(call.signal);
    const credential = candidate.credential === null ? null : await this.leases.value(candidate.credential);
    try {
      return await this.upstream.send({
        method: 'POST',
        url: exchange.url,
        headers: { ...exchange.headers, ...(credential !== null && credentialHeaders(candidate.deployment.kind, credential)), ...call.traceHeaders },
        body: exchange.body,
        stream,
        timeouts: call.settings.timeouts,
        signal: call.signal,
        failure: exchange.failure,
      });
    } catch (error) {
      // A provider that repeats the credential in its complaint must not tell it to the client.
      throw credential !== null && error instanceof AttemptFailure ? error.without(credential) : error;
    }
  }
}

async function takeWhole(call: Call, candidate: Candidate, exchange: Exchange, upstream: UpstreamReply): Promise<Answer> {
  const body = await readWhole(upstream.body);
  call.firstByte();
  const reply = exchange.whole(body);
  call.count(reply.usage, reply.producedChars);
  if (reply.blockedBy !== undefined) throw new AttemptFailure('blocked', { rule: reply.blockedBy });
  call.finish(null);
  return { kind: 'whole', candidate, reply };
}

async function takeStream(call: Call, candidate: Candidate, exchange: Exchange, upstream: UpstreamReply): Promise<Answer> {
  const stream = new RelayedStream(upstream.body, exchange.stream());
  const finish = (failure: AttemptFailure | null): void => {
    const { usage, producedChars } = stream.reader;
    call.count(usage, producedChars);
    call.finish(failure);
    if (failure) stream.cancel().catch(() => undefined); // it is broken already
  };
  try {
    const head = await stream.start(() => call.firstByte());
    return { kind: 'stream', candidate, head, stream, finish };
  } catch (error) {
    const failure = failureOfError(error, call.signal);
    finish(failure);
    throw failure;
  }
}

const credentialOf = (candidate: Candidate): string => `${candidate.deployment.id} ${candidate.credential?.id ?? ''}`;

/** Full jitter (Brooker, "Exponential Backoff And Jitter", 2015). */
async function backOff(failures: number, [firstMs, maxMs]: [number, number], signal: AbortSignal): Promise<void> {
  const ceilingMs = Math.min(maxMs, firstMs * 2 ** (failures - 1));
  await delay(ceilingMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
    throw new AttemptFailure('cancelled');
  });
}
