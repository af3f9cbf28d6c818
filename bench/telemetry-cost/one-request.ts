import { context, SpanKind, trace, TraceFlags, type Span } from '@opentelemetry/api';
import { newId, type AttemptRecord, type Candidate, type Usage } from '@deja/contracts';
import { contextOf, SPAN, type Telemetry } from '@deja/telemetry';
import { Operation, type Stage } from '../../apps/gateway/src/operation/operation.ts';
import { GatewayMetrics } from '../../apps/gateway/src/settle/metrics.ts';
import { AttemptSpan } from '../../apps/gateway/src/trace/attempt-span.ts';
import { endOperationSpan } from '../../apps/gateway/src/trace/operation-span.ts';

const STAGES: Stage[] = ['auth', 'validate', 'guard', 'plan', 'reserve', 'cache'];
const CALLS = 3;
const BODY = { model: 'gpt-4o-mini', temperature: 0.2, max_tokens: 400, top_p: 1 };
const REPLY = Buffer.from(JSON.stringify({ id: 'chatcmpl-9aB8c7D6e5F4', object: 'chat.completion', model: 'gpt-4o-mini-2024-07-18', choices: [{ index: 0, message: { role: 'assistant', content: 'An answer.' }, finish_reason: 'stop' }] }));
const USAGE: Usage = { promptTokens: 190, completionTokens: 160, cachedTokens: 128, cacheWriteTokens: 0, reasoningTokens: 0 };

const candidate: Candidate = {
  model: 'gpt-4o-mini',
  deployment: { id: 'openai/gpt-4o-mini', provider: 'openai', kind: 'openai', baseUrl: 'https://api.openai.com/v1', apiVersion: null, upstreamModel: 'gpt-4o-mini', credentials: [], unavailableUntilMs: 0 },
  credential: null,
  upstreamModel: 'gpt-4o-mini',
};

/**
 * The telemetry of one request as the gateway's own classes make it: a span of the server, seven of stages, three of calls that the last of answers,
 * with all their attributes, and every metric that it changes. Nothing else of a request is done.
 */
export class OneRequest {
  private readonly telemetry: Telemetry;
  private readonly metrics: GatewayMetrics;
  private readonly nobody: Span;
  private readonly counted: Operation;

  constructor(telemetry: Telemetry) {
    this.telemetry = telemetry;
    this.metrics = new GatewayMetrics(telemetry.meter);
    this.nobody = trace.wrapSpanContext({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.NONE });
    this.counted = this.operation(this.span());
    this.counted.attempts.push(...Array.from({ length: CALLS }, (_, n) => attempt(n + 1)));
  }

  /** What there is to do without any span. */
  async bare(): Promise<void> {
    const operation = this.operation(this.nobody);
    for (const stage of STAGES) await operation.timed(stage, () => Promise.resolve());
    await operation.timed('upstream', async () => {
      for (let n = 1; n <= CALLS; n++) {
        operation.attempts.push(attempt(n));
        await Promise.resolve();
      }
    });
  }

  /** The same with spans. */
  async traced(): Promise<void> {
    const operation = this.operation(this.span());
    operation.asks('chat', BODY);
    await context.with(operation.traceContext, async () => {
      for (const stage of STAGES) await operation.timed(stage, () => Promise.resolve());
      await operation.timed('upstream', () => this.calls(operation));
    });
    endOperationSpan(operation);
  }

  count(): void {
    this.counted.firstByteMs = 812;
    this.metrics.count(this.counted);
    for (const record of this.counted.attempts) this.metrics.calls.ended({ record, candidate, genAiOperation: 'chat', streams: true, failure: null }, this.counted.traceContext);
  }

  private async calls(operation: Operation): Promise<void> {
    for (let n = 1; n <= CALLS; n++) {
      const record = attempt(n);
      operation.attempts.push(record);
      const span = new AttemptSpan(this.telemetry.tracer, operation, candidate, record, { genAiOperation: 'chat', streams: true });
      if (span.headers['traceparent'] === '') throw new Error('no trace goes out');
      await Promise.resolve();
      span.replied(() => REPLY);
      span.end(record, null);
    }
  }

  private span(): Span {
    const attributes = { [SPAN.httpMethod]: 'POST', [SPAN.httpRoute]: '/v1/chat/completions', [SPAN.urlPath]: '/v1/chat/completions', [SPAN.urlScheme]: 'http' };
    return this.telemetry.tracer.startSpan('POST /v1/chat/completions', { kind: SpanKind.SERVER, attributes }, contextOf({}));
  }

  private operation(span: Span): Operation {
    const operation = new Operation('chat/completions', {}, span);
    operation.requestedModel = 'gpt-4o-mini';
    operation.stream = true;
    operation.servedModel = 'gpt-4o-mini';
    operation.status = 200;
    operation.cache = 'MISS';
    operation.cacheReason = 'none_similar';
    return operation;
  }
}

function attempt(n: number): AttemptRecord {
  return {
    id: newId(), n, provider: 'openai', deployment: 'openai/gpt-4o-mini', credential: 'openai/a', model: 'gpt-4o-mini', status: 200, outcome: 'ok', errorCode: null,
    hedge: false, shadow: false, usage: USAGE, usageSource: 'upstream', price: null, startedAtMs: Date.now(), firstByteMs: 640, durationMs: 2100,
  };
}
