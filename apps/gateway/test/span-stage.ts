import { context, propagation, trace, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { AlwaysOffSampler, AlwaysOnSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace';

/** Tracing of one process that keeps its spans; or, where `recorded` is false, has none to keep. */
export class SpanStage {
  private readonly exporter = new InMemorySpanExporter();
  readonly tracer: Tracer;

  constructor(recorded = true) {
    const provider = new TracerProvider({ sampler: recorded ? new AlwaysOnSampler() : new AlwaysOffSampler(), spanProcessors: [new SimpleSpanProcessor({ exporter: this.exporter })] });
    context.disable();
    trace.disable();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(provider);
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    this.tracer = provider.getTracer('test');
  }

  /** Those that have ended. */
  get spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  span(name: string): ReadableSpan {
    const found = this.spans.find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span ${name} among ${this.spans.map((span) => span.name).join(', ')}`);
    return found;
  }
}
