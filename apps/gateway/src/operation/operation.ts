import { getEventListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { context, trace, TraceFlags, type Attributes, type Context, type Span } from '@opentelemetry/api';
import { newId, type AttemptRecord, type OpenOperation, type Principal } from '@deja/contracts';
import type { CacheEntry, KeptAnswer } from '../cache/entry.ts';
import type { Captured } from '../capture/captured.ts';
import type { Reservation } from '../limits/reserve.ts';
import type { OperationQuotas } from '../quotas/operation-quotas.ts';
import type { OperationFacts } from '../settle/settlement.ts';
import type { TracedCall } from '../trace/traced-call.ts';
import { DEJA } from '../trace/names.ts';
import { requestAttributes } from '../trace/request-attributes.ts';
import { inStage, stageAfterwards } from '../trace/stage-span.ts';

/** Steps of the pipeline, as spans (`deja.<stage>`), metrics and `server-timing` name them. */
export type Stage = 'auth' | 'validate' | 'guard' | 'plan' | 'reserve' | 'cache' | 'upstream' | 'settle';

/** Those that clients are told of (docs/api.md). */
const TOLD: ReadonlySet<Stage> = new Set<Stage>(['auth', 'guard', 'plan', 'reserve', 'cache', 'upstream']);

/** What a signal says when it fires: made once, because each of its kind collects a stack. */
const OVER = new DOMException('This operation was aborted', 'AbortError');

const none = (): number => 0;
const nothing = (): void => undefined;

/** One client request on its way: what the steps have found out so far. Settlement reads it on every exit. */
export class Operation {
  readonly id = newId();
  readonly receivedAtMs = Date.now();
  /** null until somebody listens: most requests that the cache answers end before that. */
  private controller: AbortController | null = null;
  private stopped = false;
  private ownContext: Context | null = null;
  private readonly startedMs = performance.now();
  private readonly timings = new Map<Stage, number>();
  private ended = false;
  private clientLeft = false;
  /** Whether its trace is recorded: what is only for spans is made only then. */
  readonly isTraced: boolean;
  /** OpenTelemetry's name of what is done, such as `chat`; null until that is known. */
  genAiOperation: string | null = null;
  /** What the request asks for, as attributes of spans; empty where nobody would see them. */
  requestAttributes: Attributes = {};
  /** By the id of the attempt, what only its span knows; null where nothing is recorded. */
  readonly tracedCalls: Map<string, TracedCall> | null;
  /** Knows whether other operations wait for what this one buys; null where none can. */
  followed: { readonly isWanted: boolean } | null = null;

  principal: Principal | null = null;
  user: string | null = null;
  /** Of `x-deja-tags`. */
  requestTags: Record<string, string> = {};
  requestedModel = '';
  stream = false;
  estimatedPromptTokens = 0;

  /** To be called when it has used the processor for the most part, and waits for others from there on: see `Preparing`. */
  prepared: () => void = nothing;
  reservation: Reservation | null = null;
  /** Prompt and answer as far as it has come, while it streams. */
  tokensSoFar: () => number = none;
  /** Quotas of the credentials it may use; null until they are asked for. */
  quotas: OperationQuotas | null = null;
  cache: OperationFacts['cache'] = null;
  cacheReason: string | null = null;
  /** `explanation`, for people: why the question was taken for the one that the answer was made for. */
  hit: (CacheEntry & { similarity: number | null; explanation?: string }) | null = null;
  servedModel: string | null = null;
  /** What the request log is to have of it; null: nothing. */
  captured: Captured | null = null;
  /** What settlement is to put into the cache. */
  kept: KeptAnswer[] = [];
  readonly attempts: AttemptRecord[] = [];
  /** Parameters that the provider who serves lacks. */
  droppedParams: string[] = [];
  /** Rules of content safety that prompt or answer met. */
  readonly flags = new Set<string>();

  status = 0;
  outcome: OperationFacts['outcome'] = 'ok';
  errorCode: string | null = null;
  firstByteMs: number | null = null;

  constructor(
    readonly endpoint: string,
    readonly headers: IncomingHttpHeaders,
    readonly span: Span,
    /** Where it comes from; null where that cannot be told. */
    readonly address: string | null = null,
    /** Whether spans may have what was said. */
    private readonly withContent: boolean = false,
  ) {
    this.isTraced = span.isRecording();
    this.tracedCalls = this.isTraced ? new Map() : null;
  }

  /** Whether its span is to have what was said. */
  get tracesContent(): boolean {
    return this.isTraced && this.withContent;
  }

  /** What it asks for: a body that has passed validation. */
  asks(genAiOperation: string, body: Readonly<Record<string, unknown>>): void {
    this.genAiOperation = genAiOperation;
    if (this.isTraced) this.requestAttributes = requestAttributes(body);
  }

  /** The request's own and its key's: a request may add tags, and change none of the key. */
  get tags(): Record<string, string> {
    return { ...this.requestTags, ...this.principal?.tags };
  }

  /** Trace context with this operation's span, for what happens on its behalf. */
  get traceContext(): Context {
    return (this.ownContext ??= trace.setSpan(context.active(), this.span));
  }

  /** Fires when nobody needs any more what runs for this operation. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.stopped) this.controller.abort(OVER);
    return this.controller.signal;
  }

  get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  /** The client is gone: whatever runs for it stops, unless others want it too. Called again when they do not any more. */
  abandon(): void {
    this.clientLeft = true;
    if (this.followed?.isWanted !== true) this.stop();
  }

  /** The answer is this entry of the cache. */
  servedFromCache<How extends 'exact' | 'semantic'>(hit: NonNullable<Operation['hit']>, how: How): How {
    this.hit = hit;
    this.cache = how === 'exact' ? 'HIT-EXACT' : 'HIT-SEMANTIC';
    this.cacheReason = null;
    this.servedModel = hit.meta.model;
    return how;
  }

  /** What was to be served from the cache did not come to its end. */
  notServed(): void {
    this.hit = null;
    this.cache = 'MISS';
    this.servedModel = null;
  }

  /** The answer is out or failed: what still runs beside it is not needed any more. */
  end(): void {
    this.ended = true;
    this.stop();
  }

  private stop(): void {
    this.stopped = true;
    // To abort takes an event; when a request ends, mostly nobody is there to hear of it. Whoever asks for the signal later gets one that has fired.
    if (this.controller !== null && getEventListeners(this.controller.signal, 'abort').length > 0) this.controller.abort(OVER);
  }

  get abandoned(): boolean {
    return this.clientLeft && !this.ended;
  }

  /** The upstream call that gave the answer, or the last that tried; calls beside it left out. */
  get servingAttempt(): AttemptRecord | undefined {
    return this.attempts.findLast((attempt) => !attempt.shadow);
  }

  /**
   * Runs a stage, or one more part of it, and counts its time. What a step gives at once is given at once: most steps of most requests wait for
   * nothing. Where the trace is recorded it has a span, in which its calls are.
   */
  timed<T>(stage: Stage, step: () => Promise<T>): Promise<T>;
  timed<T>(stage: Stage, step: () => T | Promise<T>): T | Promise<T>;
  timed<T>(stage: Stage, step: () => T | Promise<T>): T | Promise<T> {
    return this.counted(stage, this.isTraced ? () => inStage(stage, this.traceContext, step) : step);
  }

  /** The same for a part that makes no calls of its own and mostly takes no time: its span is made afterwards, where there is something to see. */
  waited<T>(stage: Stage, step: () => T | Promise<T>): T | Promise<T> {
    return this.counted(stage, step, this.isTraced ? (fromMs) => stageAfterwards(stage, this.traceContext, fromMs) : undefined);
  }

  /** Milliseconds in each stage so far. */
  get stages(): ReadonlyMap<Stage, number> {
    return this.timings;
  }

  get serverTiming(): string {
    let text = '';
    for (const [stage, ms] of this.timings) if (TOLD.has(stage)) text += `${text === '' ? '' : ', '}${stage};dur=${ms.toFixed(2)}`;
    return text;
  }

  firstByteSent(): void {
    if (this.firstByteMs !== null) return;
    this.firstByteMs = this.elapsedMs;
    this.span.addEvent(DEJA.firstByte);
  }

  private counted<T>(stage: Stage, step: () => T | Promise<T>, after?: (fromMs: number) => void): T | Promise<T> {
    const fromMs = performance.now();
    const ended = (): void => {
      this.took(stage, fromMs);
      after?.(fromMs);
    };
    let result: T | Promise<T>;
    try {
      result = step();
    } catch (error) {
      ended();
      throw error;
    }
    if (result instanceof Promise) return following(result, ended);
    ended();
    return result;
  }

  private took(stage: Stage, fromMs: number): void {
    this.timings.set(stage, (this.timings.get(stage) ?? 0) + performance.now() - fromMs);
  }

  /** What an orphaned row would say of it. Only for an operation whose client is known. */
  opening(): OpenOperation {
    if (this.principal === null) throw new Error('an operation without a principal has no opening');
    return {
      kind: 'open',
      id: this.id,
      tenant: this.principal.tenant,
      key: this.principal.key,
      user: this.user,
      tags: this.tags,
      endpoint: this.endpoint,
      requestedModel: this.requestedModel,
      stream: this.stream,
      receivedAtMs: this.receivedAtMs,
      estimatedPromptTokens: this.estimatedPromptTokens,
      traceId: this.span.spanContext().traceId,
    };
  }

  facts(): OperationFacts {
    const { traceId, spanId, traceFlags } = this.span.spanContext();
    const meta = this.hit?.meta;
    return {
      open: this.opening(),
      traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
      status: this.status,
      outcome: this.outcome,
      errorCode: this.errorCode,
      cache: this.cache,
      cacheReason: this.cacheReason,
      hit: meta
        ? { entry: meta.id, similarity: this.hit?.similarity ?? null, model: meta.model, provider: meta.provider, deployment: meta.deployment, usage: meta.usage, price: meta.price, tookMs: meta.tookMs ?? null }
        : null,
      servedModel: this.servedModel,
      attempts: this.attempts,
      flags: [...this.flags],
      firstByteMs: this.firstByteMs === null ? null : Math.round(this.firstByteMs),
      durationMs: Math.round(this.elapsedMs),
    };
  }
}

async function following<T>(result: Promise<T>, ended: () => void): Promise<T> {
  try {
    return await result;
  } finally {
    ended();
  }
}
