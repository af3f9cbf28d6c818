import type { Tracer } from '@opentelemetry/api';
import { newId, type AttemptRecord, type Candidate, type Price, type Settings, type Usage } from '@deja/contracts';
import type { CallMetrics } from '../metrics/call-metrics.ts';
import type { Operation } from '../operation/operation.ts';
import type { OwnView, SeenCall } from '../plan/own-view.ts';
import { AttemptSpan } from '../trace/attempt-span.ts';
import type { CallAdmission } from './call-admission.ts';
import { AttemptFailure, attemptErrorCode, type ReplyHeaders } from './failure.ts';
import type { OutcomeReporter } from './outcome-reporter.ts';

/** Of an answer under way; what it had is counted when it has ended. */
const CHARS_PER_TOKEN = 4;

/** What one upstream call is about, as far as its record and its deadlines need to know. */
export interface CallPurpose {
  /** OpenTelemetry's name of the operation: `chat`, `embeddings`, … */
  genAiOperation: string;
  stream: boolean;
  /** For the estimate when the provider gives no numbers. */
  promptTokens: number;
  price: Price | null;
  /** A call beside the answer (a moderation): recorded, never billed to the client. */
  shadow?: boolean;
  /** The body is on its way from the client: nobody can answer before `bodySent`. */
  uploads?: boolean;
  /** Its time says nothing about how long an answer of a model takes. */
  untimed?: boolean;
  /** It runs beside another call, and only one of them is needed. */
  hedge?: boolean;
}

/** Who is told of calls: the router of their outcome, the trace of their span, figures of both, plans to come of how it went, quotas of what was used. */
export interface CallWatchers {
  reporter: OutcomeReporter;
  tracer: Tracer;
  metrics?: Pick<CallMetrics, 'ended'>;
  view?: OwnView;
  /** Has admitted every call there is. */
  admission?: CallAdmission;
}

/** One upstream call: its deadlines, its record in the ledger, its span. */
export class Call {
  readonly signal: AbortSignal;
  readonly record: AttemptRecord;
  private readonly controller = new AbortController();
  private readonly span: AttemptSpan;
  /** A model's answer is asked for piece by piece; what is passed through comes so too, and is none. */
  private readonly streams: boolean;
  private readonly seen: SeenCall | undefined;
  private readonly startedMs = performance.now();
  private readonly timers: NodeJS.Timeout[] = [];
  private firstByteTimer: NodeJS.Timeout | null = null;
  private headers: ReplyHeaders | null = null;
  private headersAtMs: number | null = null;
  private finished = false;
  /** The operation was nearly out of time when this began: that nobody answered in what was left says nothing about the provider. */
  private readonly short: boolean;

  constructor(
    private readonly operation: Operation,
    private readonly candidate: Candidate,
    private readonly purpose: CallPurpose,
    readonly settings: Pick<Settings, 'timeouts'>,
    private readonly watchers: CallWatchers,
  ) {
    this.signal = this.controller.signal;
    this.record = openAttempt(operation, candidate, purpose);
    operation.attempts.push(this.record);
    if (operation.signal.aborted) this.cancel();
    else operation.signal.addEventListener('abort', this.cancel, { once: true });
    this.seen = watchers.view?.started(candidate, purpose.untimed === true ? null : purpose.stream ? 'stream' : 'whole');
    const { total_ms: totalMs, unary_ms: unaryMs, first_byte_ms: firstByteMs } = settings.timeouts;
    const leftMs = Math.max(0, totalMs - operation.elapsedMs);
    this.short = leftMs < Math.min(totalMs, purpose.stream ? firstByteMs : unaryMs) / 2;
    this.timers.push(this.deadline(purpose.stream ? leftMs : Math.min(leftMs, unaryMs)));
    if (purpose.stream && purpose.uploads !== true) this.bodySent();
    this.streams = purpose.stream && purpose.untimed !== true;
    this.span = new AttemptSpan(watchers.tracer, operation, candidate, this.record, { genAiOperation: purpose.genAiOperation, streams: this.streams });
  }

  get traceHeaders(): Record<string, string> {
    return this.span.headers;
  }

  /** The head of a successful answer has come. */
  answered({ status, headers }: { status: number; headers?: ReplyHeaders }): void {
    this.record.status = status;
    this.headers = headers ?? null;
    this.headersAtMs = Date.now();
  }

  /** From here on the provider may be expected to answer. */
  bodySent(): void {
    if (this.finished || this.firstByteTimer !== null || this.record.firstByteMs !== null) return;
    this.firstByteTimer = this.deadline(this.settings.timeouts.first_byte_ms);
    this.timers.push(this.firstByteTimer);
  }

  /** From here on only the idle deadline counts: a model that thinks for long has at least begun to answer. */
  firstByte(): void {
    if (this.firstByteTimer) clearTimeout(this.firstByteTimer);
    const ms = performance.now() - this.startedMs;
    this.record.firstByteMs ??= Math.round(ms);
    this.seen?.firstByte(ms);
  }

  /** Of a stream under way: what has come of it counts against limits while it runs. */
  producing(chars: () => number): void {
    this.operation.tokensSoFar = tokensOf(this.purpose.promptTokens, chars);
  }

  /** What was bought: the provider's own numbers, else the prompt as estimated and the answer as counted here (answer-tokens.ts). */
  count(usage: Usage | null, completionTokens: number): void {
    this.record.usage = usage ?? {
      promptTokens: this.purpose.promptTokens,
      cachedTokens: 0,
      cacheWriteTokens: 0,
      completionTokens,
      reasoningTokens: 0,
    };
    this.record.usageSource = usage ? 'upstream' : 'estimated';
  }

  /** What it answered, put together where it was a stream: for its span alone. To be told before the call is finished. */
  replied(read: () => Buffer | null): void {
    if (!this.finished) this.span.replied(read);
  }

  /** Ends the call at once; its record is still to be closed. */
  abort(failure: AttemptFailure): void {
    this.controller.abort(failure);
  }

  /** Closes the record, once. A failure also ends the call, if it still runs. */
  finish(failure: AttemptFailure | null): void {
    if (this.finished) return;
    this.finished = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.operation.signal.removeEventListener('abort', this.cancel);
    const { record } = this;
    record.durationMs = Math.round(performance.now() - this.startedMs);
    if (failure) {
      const cancelled = failure.kind === 'cancelled' || failure.kind === 'blocked';
      record.outcome = cancelled ? 'cancelled' : 'error';
      record.errorCode = cancelled ? null : attemptErrorCode(failure);
      record.status ??= failure.status;
      this.headers = failure.headers ?? this.headers;
      // The provider was at work when the client left, the deadline passed or its answer broke off, and bills the prompt at least.
      const wasAtWork = cancelled || failure.kind === 'timeout' || (record.status !== null && record.status < 300);
      if (wasAtWork && record.usage === null) this.count(null, 0);
      this.controller.abort(failure);
    }
    this.report(failure);
  }

  private deadline(ms: number): NodeJS.Timeout {
    // Whole milliseconds: Node keeps a list of its own for every duration.
    return setTimeout(() => this.controller.abort(new AttemptFailure('timeout')), Math.ceil(ms));
  }

  private readonly cancel = (): void => this.controller.abort(new AttemptFailure('cancelled'));

  private report(failure: AttemptFailure | null): void {
    const { record, candidate } = this;
    this.span.end(record, failure);
    const kind = failure?.kind ?? null;
    this.watchers.metrics?.ended({ record, candidate, genAiOperation: this.purpose.genAiOperation, streams: this.streams, failure: kind }, this.span.context);
    const retryAfterMs = failure?.retryAfterMs ?? null;
    const usedTokens = record.usage === null ? null : record.usage.promptTokens + record.usage.completionTokens;
    this.watchers.admission?.ended(candidate, this.operation, { failure: kind, headers: this.headers, headersAtMs: this.headersAtMs, retryAfterMs, usedTokens });
    const blameless = kind === 'cancelled' || kind === 'blocked' || (kind === 'timeout' && this.short);
    this.seen?.ended(failure, blameless);
    if (blameless) return; // says nothing about the provider
    this.watchers.reporter.add({
      atMs: Date.now(),
      deployment: record.deployment,
      credential: record.credential,
      version: candidate.credential?.version ?? null,
      status: record.status,
      failure: kind,
      retryAfterMs,
      firstByteMs: this.purpose.untimed === true ? null : record.firstByteMs,
      durationMs: record.durationMs,
    });
  }
}

function openAttempt(operation: Operation, candidate: Candidate, { price, shadow = false, hedge = false }: CallPurpose): AttemptRecord {
  const { deployment } = candidate;
  return {
    id: newId(),
    n: operation.attempts.length + 1,
    provider: deployment.provider,
    deployment: deployment.id,
    credential: candidate.credential?.id ?? null,
    model: candidate.upstreamModel,
    status: null,
    outcome: 'ok',
    errorCode: null,
    hedge,
    shadow,
    usage: null,
    usageSource: 'none',
    price,
    startedAtMs: Date.now(),
    firstByteMs: null,
    durationMs: 0,
  };
}

/** A closure that a function returns: V8 puts one that is made in an assignment to a property into the old generation, with all it leads to (decision 0050). */
const tokensOf = (promptTokens: number, chars: () => number) => (): number => promptTokens + chars() / CHARS_PER_TOKEN;
