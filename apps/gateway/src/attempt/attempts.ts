import type { Candidate, Plan, Settings } from '@deja/contracts';
import { priceOf } from '@deja/pricing';
import type { Operation } from '../operation/operation.ts';
import { checkedBy } from './address.ts';
import { answerTokens } from './answer-tokens.ts';
import type { Answer } from './answer.ts';
import { Call, type CallPurpose, type CallWatchers } from './call.ts';
import { CandidateWalk } from './candidate-walk.ts';
import type { CredentialLeases } from './credential-leases.ts';
import { credentialHeaders } from './credential-headers.ts';
import type { Exchange, WholeReply } from './exchange.ts';
import { AttemptFailure, keepingHeaders } from './failure.ts';
import { contest, HedgeShare, type Outcome, type Runner } from './hedge.ts';
import { CHANCES, NextCalls, type Chances, type ReadyCall } from './next-call.ts';
import { RelayedStream } from './relayed-stream.ts';
import { RetryBudget } from './retry-budget.ts';
import { failureOfError, readWhole, type Upstream, type UpstreamCall, type UpstreamReply } from './upstream.ts';

/** What is asked of whichever candidate answers. */
export interface Question {
  /** OpenTelemetry's name of the operation. */
  genAiOperation: string;
  stream: boolean;
  promptTokens: number;
  /** The request in the candidate's words. */
  exchange(candidate: Candidate): Exchange;
}

/** One request on its way from candidate to candidate. */
interface Asking {
  operation: Operation;
  question: Question;
  settings: Settings;
  walk: CandidateWalk;
}

/** How one call goes out. */
interface Way extends Required<Pick<UpstreamCall, 'stream' | 'checked'>> {
  /** null where the provider needs none. */
  credential: string | null;
}

/** Makes the planned upstream calls, one after another, until one of them answers. */
export class Attempts {
  private readonly hedges = new HedgeShare();
  private readonly budget = new RetryBudget();
  private readonly calls: NextCalls;

  constructor(
    private readonly upstream: Upstream,
    leases: CredentialLeases,
    private readonly watchers: CallWatchers,
    private readonly chances: Chances = CHANCES,
  ) {
    this.calls = new NextCalls(leases, watchers.admission, chances);
  }

  /** Throws the DejaError for the client when no candidate answers, or the failure itself when the client left. */
  async run(operation: Operation, question: Question, plan: Plan, settings: Settings): Promise<Answer> {
    const walk = new CandidateWalk(plan, settings.retries, this.budget);
    const asking: Asking = { operation, question, settings, walk };
    const model = plan.candidates[0]?.model ?? '';
    if (plan.hedge !== null) this.hedges.request(model, this.chances.nowMs());
    for (let hedge = plan.hedge; ; hedge = null) {
      const ready = await this.calls.next(operation, walk, settings.timeouts.total_ms, (candidate) => question.exchange(candidate));
      if (ready === null) throw this.calls.end(operation, walk);
      const first = this.begin(operation, question, ready, settings);
      const outcomes = hedge === null ? await contest(first) : await this.hedged(asking, first, model, hedge);
      for (const { runner, answer, failure } of outcomes) {
        if (failure === undefined) return serve(operation, runner, answer);
        walk.failed(runner.candidate, failure);
      }
    }
  }

  /** One call beside the answer, such as a moderation: recorded as a shadow, tried once. Throws an AttemptFailure. */
  async beside(operation: Operation, question: Question, candidate: Candidate, settings: Settings): Promise<WholeReply> {
    const whole = { ...question, stream: false };
    const ready = await this.calls.ready(operation, candidate, (chosen) => question.exchange(chosen));
    if (typeof ready === 'string') throw new AttemptFailure(ready === 'quota' ? 'rate' : 'auth');
    const answer = await this.begin(operation, whole, ready, settings, { shadow: true }).answer;
    if (answer.kind !== 'whole') throw new AttemptFailure('malformed');
    return answer.reply;
  }

  /** The first call, and perhaps a second one beside it: when its first byte is later than most of this deployment's, and there is a share left for it. */
  private async hedged({ operation, question, settings, walk }: Asking, first: Runner, model: string, { percentile, maxShare }: NonNullable<Plan['hedge']>): Promise<Outcome[]> {
    const afterMs = this.watchers.view?.percentile(first.candidate.deployment.id, percentile, question.stream ? 'stream' : 'whole') ?? null;
    if (afterMs === null) return contest(first);
    const settled = new AbortController();
    const second = async (): Promise<Runner | null> => {
      const candidate = walk.elsewhere(first.candidate);
      if (candidate === null || !this.hedges.take(model, maxShare, this.chances.nowMs())) return null;
      // Whatever keeps a second call from being made is nothing to the first.
      const ready = await this.calls.take(operation, walk, candidate, (chosen) => question.exchange(chosen)).catch(() => null);
      return ready === null ? null : this.begin(operation, question, ready, settings, { hedge: true });
    };
    try {
      return await contest(first, { due: this.chances.wait(afterMs, settled.signal), second });
    } finally {
      settled.abort();
    }
  }

  private begin(operation: Operation, question: Question, ready: ReadyCall<Exchange>, settings: Settings, kind: Pick<CallPurpose, 'shadow' | 'hedge'> = {}): Runner {
    const { candidate, credential, prepared: exchange } = ready;
    const { provider, kind: providerKind } = candidate.deployment;
    const { genAiOperation, stream, promptTokens } = question;
    const price = priceOf({ provider, kind: providerKind, upstreamModel: candidate.upstreamModel, overrides: settings.prices, atMs: operation.receivedAtMs });
    const call = new Call(operation, candidate, { genAiOperation, stream, promptTokens, price, ...kind }, settings, this.watchers);
    return { candidate, call, answer: this.answer(call, exchange, candidate, { stream, credential, checked: checkedBy(candidate, settings) }), dropped: exchange.dropped };
  }

  private async answer(call: Call, exchange: Exchange, candidate: Candidate, way: Way): Promise<Answer> {
    try {
      const reply = await this.send(call, exchange, candidate, way);
      call.answered(reply);
      // Some servers answer whole although a stream was asked for: it is bought, and the client gets it as one.
      const streams = way.stream && !reply.contentType.toLowerCase().startsWith('application/json');
      return streams ? await takeStream(call, candidate, exchange, reply, way.credential) : await takeWhole(call, candidate, exchange, reply);
    } catch (error) {
      const failed = failureOfError(error, call.signal);
      // A provider that repeats the credential in its complaint, with whatever status, must not tell it to the client.
      const failure = way.credential === null ? failed : failed.without(way.credential);
      call.finish(failure);
      throw failure;
    }
  }

  private async send(call: Call, exchange: Exchange, candidate: Candidate, { stream, credential, checked }: Way): Promise<UpstreamReply> {
    if (exchange.simulated) return exchange.simulated(call.signal);
    return this.upstream.send({
      method: 'POST',
      url: exchange.url,
      headers: { ...exchange.headers, ...(credential !== null && credentialHeaders(candidate.deployment.kind, credential)), ...call.traceHeaders },
      body: exchange.body,
      stream,
      timeouts: call.settings.timeouts,
      signal: call.signal,
      failure: keepingHeaders(exchange.failure),
      checked,
    });
  }
}

/** The answer that the client gets. Of two calls, the one that gave it counts as the last. */
function serve(operation: Operation, { call: { record }, dropped }: Runner, answer: Answer): Answer {
  operation.droppedParams = dropped;
  const { attempts } = operation;
  attempts.push(...attempts.splice(attempts.indexOf(record), 1));
  return answer;
}

async function takeWhole(call: Call, candidate: Candidate, exchange: Exchange, upstream: UpstreamReply): Promise<Answer> {
  const body = await readWhole(upstream.body);
  call.firstByte();
  const reply = exchange.whole(body);
  call.count(reply.usage, reply.usage === null ? await answerTokens({ texts: reply.said(), otherChars: 0 }, candidate.upstreamModel) : 0);
  if (reply.blockedBy !== undefined) throw new AttemptFailure('blocked', { rule: reply.blockedBy });
  call.replied(() => reply.body);
  call.finish(null);
  return { kind: 'whole', candidate, reply };
}

async function takeStream(call: Call, candidate: Candidate, exchange: Exchange, upstream: UpstreamReply, credential: string | null): Promise<Answer> {
  const stream = new RelayedStream(upstream.body, exchange.stream(), credential);
  call.producing(() => stream.reader.producedChars);
  const close = async (failure: AttemptFailure | null): Promise<void> => {
    const { reader } = stream;
    if (failure) {
      call.abort(failure);
      stream.cancel().catch(() => undefined); // it is broken already
    }
    call.count(reader.usage, reader.usage === null ? await answerTokens(reader.said(), candidate.upstreamModel) : 0);
    call.replied(() => reader.kept()?.body ?? null);
    call.finish(failure);
  };
  let closed: Promise<void> | null = null;
  const finish = (failure: AttemptFailure | null): Promise<void> => (closed ??= close(failure));
  try {
    const head = await stream.start(() => call.firstByte());
    return { kind: 'stream', candidate, head, stream, finish };
  } catch (error) {
    const failure = failureOfError(error, call.signal);
    await finish(failure);
    throw failure;
  }
}
