import { setTimeout as delay } from 'node:timers/promises';
import { SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import { newId, type AttemptRecord, type Candidate, type Plan, type Settings, type Usage } from '@deja/contracts';
import { priceOf } from '@deja/pricing';
import { carrierOf, GEN_AI } from '@deja/telemetry';
import type { ChatRequest } from '../chat/chat-request.ts';
import { asCompletion, usageOf, type ChatCompletion } from '../chat/completion.ts';
import { ChatStream } from '../chat/chat-stream.ts';
import type { Operation } from '../chat/operation.ts';
import { chatBody, chatUrl, openAiHeaders } from '../dialects/openai.ts';
import { simulate } from '../dialects/simulated.ts';
import type { CredentialLeases } from './credential-leases.ts';
import { AttemptFailure, attemptErrorCode, finalError } from './failure.ts';
import type { OutcomeReporter } from './outcome-reporter.ts';
import { failureOfError, readWhole, type Upstream, type UpstreamCall, type UpstreamReply } from './upstream.ts';

/** An answer whose first content has arrived. From here on nobody else can take over. */
export type Answer =
  | { kind: 'whole'; candidate: Candidate; body: Buffer; completion: ChatCompletion }
  | { kind: 'stream'; candidate: Candidate; head: string; stream: ChatStream; finish: (failure: AttemptFailure | null) => void };

const CHARS_PER_TOKEN = 4;

/** Makes the planned upstream calls, one after another, until one of them answers. */
export class Attempts {
  constructor(
    private readonly upstream: Upstream,
    private readonly leases: CredentialLeases,
    private readonly reporter: OutcomeReporter,
    private readonly tracer: Tracer,
  ) {}

  /** Throws the DejaError for the client when no candidate answers, or the failure itself when the client left. */
  async run(operation: Operation, request: ChatRequest, plan: Plan, settings: Settings): Promise<Answer> {
    const failures: AttemptFailure[] = [];
    const hopeless = new Set<string>();
    const tried = new Set<Candidate>();
    for (const candidate of plan.candidates) {
      if (failures.length >= settings.retries.max_attempts) break;
      if (hopeless.has(credentialOf(candidate)) || hopeless.has(candidate.deployment.id)) continue;
      if (tried.has(candidate)) await backOff(failures.length, settings.retries.backoff_ms, operation.signal);
      tried.add(candidate);
      try {
        return await this.attempt(operation, request, candidate, settings);
      } catch (error) {
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

  private async attempt(operation: Operation, request: ChatRequest, candidate: Candidate, settings: Settings): Promise<Answer> {
    const call = new Call(operation, request, candidate, settings, this.reporter, this.tracer);
    try {
      const reply = await this.send(call, request, candidate);
      return request.stream ? await call.takeStream(reply) : await call.takeWhole(reply);
    } catch (error) {
      const failure = failureOfError(error, call.signal);
      call.finish(failure);
      throw failure;
    }
  }

  private async send(call: Call, request: ChatRequest, candidate: Candidate): Promise<UpstreamReply> {
    const { deployment } = candidate;
    if (deployment.kind === 'simulated') return simulate(request, candidate.upstreamModel, call.signal);
    const credential = candidate.credential === null ? null : await this.leases.value(candidate.credential);
    return this.call(credential, {
      url: chatUrl(deployment.baseUrl),
      headers: { ...openAiHeaders(credential), ...call.traceHeaders },
      body: chatBody(request, candidate),
      stream: request.stream,
      timeouts: call.settings.timeouts,
      signal: call.signal,
    });
  }

  /** A provider that repeats the credential in its complaint must not tell it to the client. */
  private async call(credential: string | null, upstreamCall: UpstreamCall): Promise<UpstreamReply> {
    try {
      return await this.upstream.send(upstreamCall);
    } catch (error) {
      throw credential !== null && error instanceof AttemptFailure ? error.without(credential) : error;
    }
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

/** One upstream call: its deadlines, its record in the ledger, its span. */
class Call {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private readonly record: AttemptRecord;
  private readonly span: Span;
  private readonly startedMs = performance.now();
  private readonly timers: NodeJS.Timeout[] = [];
  private firstByteTimer: NodeJS.Timeout | null = null;
  private stream: ChatStream | null = null;
  private retryAfterMs: number | null = null;
  private finished = false;

  constructor(
    private readonly operation: Operation,
    private readonly request: ChatRequest,
    private readonly candidate: Candidate,
    readonly settings: Settings,
    private readonly reporter: OutcomeReporter,
    tracer: Tracer,
  ) {
    this.signal = this.controller.signal;
    this.record = openAttempt(operation, candidate, settings);
    operation.attempts.push(this.record);
    if (operation.signal.aborted) this.cancel();
    else operation.signal.addEventListener('abort', this.cancel, { once: true });
    const { timeouts } = settings;
    const deadline = (ms: number): NodeJS.Timeout => setTimeout(() => this.controller.abort(new AttemptFailure('timeout')), ms);
    this.timers.push(deadline(request.stream ? timeouts.total_ms : timeouts.unary_ms));
    if (request.stream) this.timers.push((this.firstByteTimer = deadline(timeouts.first_byte_ms)));
    this.span = tracer.startSpan(
      `chat ${candidate.upstreamModel}`,
      { kind: SpanKind.CLIENT, attributes: { [GEN_AI.operationName]: 'chat', [GEN_AI.requestModel]: candidate.upstreamModel, [GEN_AI.providerName]: candidate.deployment.provider } },
      operation.traceContext,
    );
  }

  get traceHeaders(): Record<string, string> {
    return { ...carrierOf(trace.setSpan(this.operation.traceContext, this.span)) };
  }

  async takeWhole(reply: UpstreamReply): Promise<Answer> {
    this.record.status = reply.status;
    const body = await readWhole(reply.body);
    this.firstByte();
    const completion = asCompletion(parseReply(body));
    if (completion === null) throw new AttemptFailure('malformed', { status: reply.status });
    this.count(usageOf(completion.usage), JSON.stringify(completion.choices).length);
    this.finish(null);
    return { kind: 'whole', candidate: this.candidate, body, completion };
  }

  async takeStream(reply: UpstreamReply): Promise<Answer> {
    this.record.status = reply.status;
    this.stream = new ChatStream(reply.body, this.request.includeUsage);
    const head = await this.stream.start(() => this.firstByte());
    return { kind: 'stream', candidate: this.candidate, head, stream: this.stream, finish: (failure) => this.finish(failure) };
  }

  /** Closes the record, once: with the provider's numbers, or an estimate of what was produced when it broke off. */
  finish(failure: AttemptFailure | null): void {
    if (this.finished) return;
    this.finished = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.operation.signal.removeEventListener('abort', this.cancel);
    const { record } = this;
    record.durationMs = Math.round(performance.now() - this.startedMs);
    if (this.stream) this.count(this.stream.assembler.usage, this.stream.assembler.producedChars);
    if (failure) {
      record.outcome = failure.kind === 'cancelled' ? 'cancelled' : 'error';
      record.errorCode = failure.kind === 'cancelled' ? null : attemptErrorCode(failure);
      record.status ??= failure.status;
      this.retryAfterMs = failure.retryAfterMs;
      // The provider was at work when the client left, the deadline passed or its answer broke off, and bills the prompt at least.
      const wasAtWork = failure.kind === 'cancelled' || failure.kind === 'timeout' || (record.status !== null && record.status < 300);
      if (wasAtWork && record.usage === null) this.count(null, 0);
      this.controller.abort(failure);
      this.stream?.cancel().catch(() => undefined); // it is broken already
    }
    this.report(failure);
  }

  private count(usage: Usage | null, producedChars: number): void {
    this.record.usage = usage ?? {
      promptTokens: this.request.promptTokens,
      cachedTokens: 0,
      cacheWriteTokens: 0,
      completionTokens: Math.ceil(producedChars / CHARS_PER_TOKEN),
      reasoningTokens: 0,
    };
    this.record.usageSource = usage ? 'upstream' : 'estimated';
  }

  /** From here on only the idle deadline counts: a model that thinks for long has at least begun to answer. */
  private firstByte(): void {
    if (this.firstByteTimer) clearTimeout(this.firstByteTimer);
    this.record.firstByteMs ??= Math.round(performance.now() - this.startedMs);
  }

  private readonly cancel = (): void => this.controller.abort(new AttemptFailure('cancelled'));

  private report(failure: AttemptFailure | null): void {
    const { record } = this;
    if (record.status !== null) this.span.setAttribute('http.response.status_code', record.status);
    if (record.usage) this.span.setAttributes({ [GEN_AI.inputTokens]: record.usage.promptTokens, [GEN_AI.outputTokens]: record.usage.completionTokens });
    if (failure) this.span.setStatus({ code: SpanStatusCode.ERROR, message: failure.kind });
    this.span.end();
    if (failure?.kind === 'cancelled') return; // says nothing about the provider
    this.reporter.add({
      atMs: Date.now(),
      deployment: record.deployment,
      credential: record.credential,
      status: record.status,
      errorCode: failure?.kind === 'caller' ? null : record.errorCode,
      retryAfterMs: this.retryAfterMs,
      firstByteMs: record.firstByteMs,
      durationMs: record.durationMs,
    });
  }
}

function openAttempt(operation: Operation, candidate: Candidate, settings: Settings): AttemptRecord {
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
    hedge: false,
    shadow: false,
    usage: null,
    usageSource: 'none',
    price: priceOf({ provider: deployment.provider, kind: deployment.kind, upstreamModel: candidate.upstreamModel, overrides: settings.prices }),
    startedAtMs: Date.now(),
    firstByteMs: null,
    durationMs: 0,
  };
}

function parseReply(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (cause) {
    throw new AttemptFailure('malformed', { cause });
  }
}
