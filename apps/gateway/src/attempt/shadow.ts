import { setImmediate as nextTurn } from 'node:timers/promises';
import { DejaError, type Candidate, type LateAttempt, type Settings } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { Operation } from '../operation/operation.ts';
import type { GatewayMetrics } from '../settle/metrics.ts';
import { parseJsonBody, withMembers, type JsonBody } from '../validate/json-body.ts';
import type { Attempts, Question } from './attempts.ts';
import type { WholeReply } from './exchange.ts';
import { AttemptFailure } from './failure.ts';

/** Puts a shadow's record on its way to the ledger. Never rejects. */
export type RecordLate = (event: LateAttempt) => Promise<void>;

export interface ShadowBounds {
  /** Copies under way at once, in this process; what comes on top is not copied. */
  atOnce: number;
  /** How long a gateway that stops lets them go on before it cancels them, in milliseconds. */
  graceMs: number;
}

const BOUNDS: ShadowBounds = { atOnce: 64, graceMs: 5000 };

/**
 * Calls beside a request that outlive it: copies for shadow deployments, whose answers are read for what they used and thrown
 * away, and questions of our own, as to a judge. The client's leave ends none of them: each has its own deadline
 * (`timeouts.unary_ms`) and goes into the ledger by itself, always, whether its operation is settled by then or not.
 */
export class Shadows {
  private readonly running = new Map<Operation, Promise<void>>();
  private closed = false;

  constructor(
    private readonly attempts: Pick<Attempts, 'beside'>,
    private readonly record: RecordLate,
    private readonly metrics: Pick<GatewayMetrics, 'shadow'>,
    private readonly logger: Pick<Logger, 'debug' | 'error'>,
    private readonly bounds: ShadowBounds = BOUNDS,
  ) {}

  /** Begins a copy and returns at once; never throws. `prepare`, called when the client's own call is on its way, asks for a whole answer that is kept nowhere (see `copiedBody`). */
  cast(operation: Operation, prepare: () => Question, candidate: Candidate, settings: Settings): void {
    if (this.isFull) return this.metrics.shadow('dropped');
    const copy = standIn(operation);
    this.follow(operation, copy, this.run(operation, copy, prepare, candidate, settings));
  }

  /** Asks on behalf of an operation, at once. Rejects with an AttemptFailure or a DejaError: `rate` where too many run already, or the gateway stops. */
  ask(operation: Operation, question: Question, candidate: Candidate, settings: Settings): Promise<WholeReply> {
    if (this.isFull) {
      this.metrics.shadow('dropped');
      return Promise.reject(new AttemptFailure('rate'));
    }
    const copy = standIn(operation);
    copy.estimatedPromptTokens = question.promptTokens;
    const answer = this.attempts.beside(copy, question, candidate, settings);
    const ended = answer.then(() => undefined, () => undefined); // whoever asked is told
    this.follow(operation, copy, ended.then(() => this.recordCalls(operation, copy)));
    return answer;
  }

  /** Begins no more. Resolves when every copy has ended, or was cancelled, and its record is on its way. */
  async close(): Promise<void> {
    this.closed = true;
    const patience = setTimeout(() => {
      for (const copy of this.running.keys()) copy.abandon();
    }, this.bounds.graceMs);
    await Promise.all(this.running.values());
    clearTimeout(patience);
  }

  private get isFull(): boolean {
    return this.closed || this.running.size >= this.bounds.atOnce;
  }

  private follow(operation: Operation, copy: Operation, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.logger.error({ err: error, request_id: operation.id }, 'a shadow could not be recorded'))
      .finally(() => this.running.delete(copy));
    this.running.set(copy, done);
  }

  private async run(operation: Operation, copy: Operation, prepare: () => Question, candidate: Candidate, settings: Settings): Promise<void> {
    await nextTurn(); // the call that the client waits for goes first
    if (!copy.signal.aborted) await this.copied(copy, prepare, candidate, settings, operation.id);
    await this.recordCalls(operation, copy);
  }

  private async recordCalls(operation: Operation, copy: Operation): Promise<void> {
    if (copy.attempts.length === 0) return this.metrics.shadow('dropped'); // nobody was asked: there is no call to record
    const tenant = operation.principal?.tenant ?? '';
    for (const attempt of copy.attempts) {
      this.metrics.shadow(attempt.outcome);
      await this.record({ kind: 'late_attempt', operation: operation.id, tenant, attempt: { ...attempt, n: 0, shadow: true } });
    }
  }

  /** What came of it is in the record of the attempt. */
  private async copied(copy: Operation, prepare: () => Question, candidate: Candidate, settings: Settings, requestId: string): Promise<void> {
    try {
      await this.attempts.beside(copy, prepare(), candidate, settings);
    } catch (error) {
      const about = { err: error, request_id: requestId, deployment: candidate.deployment.id };
      if (error instanceof AttemptFailure || error instanceof DejaError) this.logger.debug(about, 'a shadow got no answer');
      else this.logger.error(about, 'a shadow failed unexpectedly');
    }
  }
}

/** What the copy's call belongs to: in the same trace and for the same client, but with a list of attempts, a signal and a beginning of its own. */
function standIn(operation: Operation): Operation {
  const copy = new Operation(operation.endpoint, {}, operation.span);
  copy.principal = operation.principal;
  copy.user = operation.user;
  copy.requestedModel = operation.requestedModel;
  copy.estimatedPromptTokens = operation.estimatedPromptTokens;
  return copy;
}

/**
 * A request's body as it is copied: answered whole, at once, and not stored with the provider, where it would be nobody's.
 * Responses are stored unless the request says otherwise, chat completions only when it says so (OpenAI API reference).
 */
export function copiedBody(body: JsonBody, endpoint: string): JsonBody {
  const { store } = body.value;
  const stores = endpoint === 'responses' ? store !== false : store === true;
  const text = withMembers(body, { stream: null, stream_options: null, background: null, ...(stores && { store: 'false' }) });
  return text === body.text ? body : parseJsonBody(Buffer.from(text));
}
