import { context, metrics, propagation, trace, type Context, type Meter, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { observeProcess } from './process-metrics.ts';
import { samplerFrom } from './sampler.ts';

export interface TelemetryOptions {
  /** Name of the app; `OTEL_SERVICE_NAME` overrides it. */
  service: string;
  /** Which replica. */
  instance: string;
  /** The process's own by default. */
  variables?: NodeJS.ProcessEnv;
}

export interface Telemetry {
  tracer: Tracer;
  meter: Meter;
  /** All metrics in Prometheus's text format. */
  metricsText(): Promise<string>;
  /** Sends what is buffered, and stops. */
  shutdown(): Promise<void>;
}

/** Metrics are pulled from the ops port, so nothing is pushed and nothing runs between two scrapes. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/**
 * Tracing and metrics of one process, once. Traces are exported by OTLP when a standard endpoint variable is set; without one,
 * spans are not recorded and still carry ids for the logs. No automatic instrumentation: spans are made by hand where they tell something.
 */
export function startTelemetry({ service, instance, variables = process.env }: TelemetryOptions): Telemetry {
  const resource = resourceOf(variables['OTEL_SERVICE_NAME'] ?? `deja-${service}`, instance);
  const exports = exportsTraces(variables);
  const tracerProvider = new TracerProvider({
    resource,
    sampler: samplerFrom(variables, exports),
    spanProcessors: exports ? [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })] : [],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracerProvider);

  const reader = new PullReader();
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  metrics.setGlobalMeterProvider(meterProvider);
  const meter = meterProvider.getMeter('deja');
  const stopObserving = observeProcess(meter);
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    tracer: tracerProvider.getTracer('deja'),
    meter,
    metricsText: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    shutdown: async () => {
      stopObserving();
      await Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]);
    },
  };
}

function exportsTraces(variables: NodeJS.ProcessEnv): boolean {
  if (variables['OTEL_SDK_DISABLED'] === 'true' || variables['OTEL_TRACES_EXPORTER'] === 'none') return false;
  return Boolean(variables['OTEL_EXPORTER_OTLP_ENDPOINT'] || variables['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']);
}

function resourceOf(service: string, instance: string): Resource {
  const named = resourceFromAttributes({ 'service.name': service, 'service.namespace': 'deja', 'service.instance.id': instance });
  return defaultResource().merge(named).merge(detectResources({ detectors: [envDetector] }));
}

/** Trace context as it travels in a message or a header. */
export interface Carrier {
  traceparent?: string;
  tracestate?: string;
}

/** The trace context to send along (W3C Trace Context); the active one by default. */
export function carrierOf(from: Context = context.active()): Carrier {
  const carrier: Carrier = {};
  propagation.inject(from, carrier);
  return carrier;
}

/** The context that a carrier brought; without one, a fresh root. */
export function contextOf(carrier: Carrier): Context {
  return propagation.extract(context.active(), carrier);
}
