import { context, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Span, type Tracer } from '@opentelemetry/api';
import type { AttemptRecord, Candidate } from '@deja/contracts';
import { costNanoUsd } from '@deja/pricing';
import { carrierOf, GEN_AI, SPAN } from '@deja/telemetry';
import type { AttemptFailure } from '../attempt/failure.ts';
import type { Operation } from '../operation/operation.ts';
import { maskedAttributes, maskedText } from './masked-attributes.ts';
import { DEJA } from './names.ts';
import { genAiProvider } from './provider-name.ts';
import { replyFacts, type ReplyFacts } from './reply-facts.ts';
import type { TracedCall } from './traced-call.ts';
import { usageAttributes, usdOf } from './usage-attributes.ts';

/** What a span says of a call besides its record. */
interface Made {
  genAiOperation: string;
  /** A model's answer is asked for piece by piece. */
  streams: boolean;
}

/**
 * The span of one upstream call, by the GenAI conventions ("inference", "embeddings"). Where it is not recorded, it is made for
 * its ids alone. Nothing of the request's or the answer's text is in it, and no credential.
 */
export class AttemptSpan {
  private readonly span: Span;
  private readonly parent: Context;
  private readonly made: Made;
  private readonly traced: TracedCall | null;

  constructor(tracer: Tracer, operation: Operation, candidate: Candidate, record: AttemptRecord, made: Made) {
    this.made = made;
    this.parent = parentOf(operation);
    // Where no model has a part in it (files, batches), none is named.
    const name = candidate.model === '' ? made.genAiOperation : `${made.genAiOperation} ${record.model}`;
    this.traced = operation.isTraced ? { genAiProvider: genAiProvider(candidate.deployment), reply: null } : null;
    const attributes = this.traced === null ? {} : maskedAttributes(startAttributes(operation, candidate, record, made, this.traced.genAiProvider));
    this.span = tracer.startSpan(this.traced === null ? name : maskedText(name), { kind: SpanKind.CLIENT, attributes }, this.parent);
    if (this.traced !== null) operation.tracedCalls?.set(record.id, this.traced);
  }

  /** With this span as the active one. */
  get context(): Context {
    return trace.setSpan(this.parent, this.span);
  }

  /** For the provider: the trace goes on there, if it takes part. */
  get headers(): Record<string, string> {
    return { ...carrierOf(this.context) };
  }

  /** The answer as it is known at its end, put together where it was a stream; read only where that is recorded. */
  replied(read: () => Buffer | null): void {
    if (this.traced === null) return;
    const body = readable(read);
    this.traced.reply = body === null ? null : replyFacts(body);
    if (this.traced.reply !== null) this.span.setAttributes(replyAttributes(this.traced.reply));
  }

  end(record: AttemptRecord, failure: AttemptFailure | null): void {
    if (this.traced !== null) {
      this.span.setAttributes(endAttributes(record, this.made));
      // Who lost a race, or whose client left, has done nothing wrong.
      if (failure !== null && record.outcome === 'error') {
        this.span.setAttribute(SPAN.errorType, failure.kind);
        this.span.setStatus({ code: SpanStatusCode.ERROR, message: failure.kind });
      }
    }
    this.span.end();
  }
}

/** The stage that makes the call; the operation itself for calls beside the stages. */
function parentOf(operation: Operation): Context {
  const active = context.active();
  return trace.getSpanContext(active)?.traceId === operation.span.spanContext().traceId ? active : operation.traceContext;
}

function startAttributes(operation: Operation, { deployment, credential, model }: Candidate, record: AttemptRecord, { genAiOperation, streams }: Made, provider: string): Attributes {
  return {
    [GEN_AI.operationName]: genAiOperation,
    [GEN_AI.providerName]: provider,
    ...(model !== '' && { [GEN_AI.requestModel]: record.model }),
    ...serverAttributes(credential?.baseUrl ?? deployment.baseUrl),
    ...(streams && { [GEN_AI.requestStream]: true }),
    ...(!record.shadow && operation.requestAttributes), // what is asked beside the answer is another request
    [DEJA.provider]: record.provider,
    [DEJA.deployment]: record.deployment,
    ...(record.credential !== null && { [DEJA.credential]: record.credential }),
    [DEJA.attempt]: record.n,
    [DEJA.attemptWhy]: whyMade(record, operation.attempts),
    ...(record.hedge && { [DEJA.attemptHedge]: true }),
    ...(record.shadow && { [DEJA.attemptShadow]: true }),
  };
}

/** Why a call is made: the first of its operation, another try at the same deployment, or elsewhere; or one that is made beside another. */
export function whyMade(record: AttemptRecord, attempts: readonly AttemptRecord[]): 'first' | 'retry' | 'failover' | 'hedge' | 'shadow' {
  if (record.shadow) return 'shadow';
  if (record.hedge) return 'hedge';
  const earlier = attempts.filter((attempt) => attempt !== record && !attempt.shadow);
  if (earlier.length === 0) return 'first';
  return earlier.some(({ deployment }) => deployment === record.deployment) ? 'retry' : 'failover';
}

function serverAttributes(baseUrl: string): Attributes {
  const url = URL.parse(baseUrl);
  if (url === null || url.hostname === '') return {};
  const port = url.port === '' ? (url.protocol === 'http:' ? 80 : 443) : Number(url.port);
  return { [SPAN.serverAddress]: url.hostname, [SPAN.serverPort]: port };
}

function endAttributes(record: AttemptRecord, { streams }: Made): Attributes {
  const { status, usage, usageSource, price, firstByteMs, outcome } = record;
  const cost = usage === null ? null : costNanoUsd(usage, price);
  return {
    ...(status !== null && { [SPAN.httpStatus]: status }),
    ...(streams && firstByteMs !== null && { [GEN_AI.timeToFirstChunk]: firstByteMs / 1000 }),
    ...(usage !== null && usageAttributes(usage)),
    ...(usage !== null && { [DEJA.usageSource]: usageSource }),
    ...(cost !== null && { [DEJA.costUsd]: usdOf(cost) }),
    [DEJA.attemptOutcome]: outcome,
  };
}

/** What a reply says of itself. */
export function replyAttributes({ id, model, finishReasons }: ReplyFacts): Attributes {
  return {
    ...(id !== null && { [GEN_AI.responseId]: id }),
    ...(model !== null && { [GEN_AI.responseModel]: model }),
    ...(finishReasons.length > 0 && { [GEN_AI.finishReasons]: finishReasons }),
  };
}

/** Half an answer may be one that cannot be put together. */
function readable(read: () => Buffer | null): Buffer | null {
  try {
    return read();
  } catch {
    return null;
  }
}
