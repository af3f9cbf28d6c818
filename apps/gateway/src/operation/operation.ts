import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { context, trace, TraceFlags, type Attributes, type Context, type Span } from '@opentelemetry/api';
import { DejaError, newId, type AttemptRecord, type OpenOperation, type Principal } from '@deja/contracts';
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

/** One client request on its way: what the steps have found out so far. Settlement reads it on every exit. */
export class Operation {
  readonly id = newId();
  readonly receivedAtMs = Date.now();
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
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
  /** Whether other operations wait for what this one buys. */
  wanted: () => boolean = () => false;

  principal: Principal | null = null;
  user: string | null = null;
  /** Of `x-deja-tags`. */
  requestTags: Record<string, string> = {};
  requestedModel = '';
  stream = false;
  estimatedPromptTokens = 0;

  reservation: Reservation | null = null;
  /** Prompt and answer as far as it has come, while it streams. */
  tokensSoFar: () => number = () => 0;
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
    this.signal = this.controller.signal;
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
    return trace.setSpan(context.active(), this.span);
  }

  get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  /** The client is gone: whatever runs for it stops, unless others want it too. Called again when they do not any more. */
  abandon(): void {
    this.clientLeft = true;
    if (!this.wanted()) this.controller.abort();
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
    this.controller.abort();
  }

  get abandoned(): boolean {
    return this.clientLeft && !this.ended;
  }

  /** The upstream call that gave the answer, or the last that tried; calls beside it left out. */
  get servingAttempt(): AttemptRecord | undefined {
    return this.attempts.findLast((attempt) => !attempt.shadow);
  }

  /** Runs a stage, or one more part of it, and counts its time. Where the trace is recorded it has a span, in which its calls are. */
  async timed<T>(stage: Stage, step: () => T | Promise<T>): Promise<T> {
    const fromMs = performance.now();
    try {
      return await (this.isTraced ? inStage(stage, this.traceContext, step) : step());
    } finally {
      this.took(stage, fromMs);
    }
  }

  /** The same for a part that makes no calls of its own and mostly takes no time: its span is made afterwards, where there is something to see. */
  async waited<T>(stage: Stage, step: () => T | Promise<T>): Promise<T> {
    const fromMs = performance.now();
    try {
      return await step();
    } finally {
      this.took(stage, fromMs);
      if (this.isTraced) stageAfterwards(stage, this.traceContext, fromMs);
    }
  }

  /** Milliseconds in each stage so far. */
  get stages(): ReadonlyMap<Stage, number> {
    return this.timings;
  }

  get serverTiming(): string {
    return Array.from(this.timings, ([stage, ms]) => (TOLD.has(stage) ? [`${stage};dur=${ms.toFixed(2)}`] : [])).flat().join(', ');
  }

  firstByteSent(): void {
    if (this.firstByteMs !== null) return;
    this.firstByteMs = this.elapsedMs;
    this.span.addEvent(DEJA.firstByte);
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

const MAX_USER_CHARS = 512;

/** The end user: the header, else what the body says. Never shortened, because answers and limits are kept apart by it; a longer one is a 400. */
export function userOf(header: string | undefined, inBody: string | null): string | null {
  const [user, param] = header === undefined || header === '' ? [inBody, 'user'] : [header, 'x-deja-user'];
  if (user !== null && user.length > MAX_USER_CHARS) throw new DejaError('invalid_value', `Invalid value for '${param}': at most ${MAX_USER_CHARS} characters.`, { param });
  return user === '' ? null : user;
}

/** A header's text. HTTP hands bytes over as Latin-1; clients mean UTF-8, so what is valid UTF-8 is read as that. */
export function headerText(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value.join(',') : value;
  if (text === undefined || /^[\x20-\x7e]*$/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : text;
}

const MAX_TAGS = 16;
const MAX_TAG_CHARS = 128;

/** `x-deja-tags: team=a,feature=b`; throws a 400 when it is not that. */
export function tagsOf(header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  const pairs = header.split(',').map((pair) => pair.trim()).filter((pair) => pair !== '');
  const tags = pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1 || pair.length > MAX_TAG_CHARS) throw new DejaError('invalid_value', `Invalid value for header 'x-deja-tags': expected k=v,k=v with at most ${MAX_TAG_CHARS} characters each.`, { param: 'x-deja-tags' });
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
  });
  if (tags.length > MAX_TAGS) throw new DejaError('invalid_value', `Invalid value for header 'x-deja-tags': at most ${MAX_TAGS} tags.`, { param: 'x-deja-tags' });
  return Object.fromEntries(tags);
}
