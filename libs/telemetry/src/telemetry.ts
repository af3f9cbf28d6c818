import { setTimeout as delay } from 'node:timers/promises';
import { context, metrics, propagation, ROOT_CONTEXT, trace, type Context, type Meter, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { defaultResource, detectResources, envDetector, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { observeBuild } from './build-info.ts';
import { Exemplars } from './exemplars.ts';
import { GEN_AI_METRICS } from './gen-ai.ts';
import { Histograms } from './histograms.ts';
import { createLogger, type Logger } from './logger.ts';
import { openMetricsText } from './open-metrics.ts';
import { observeProcess } from './process-metrics.ts';
import { samplerFrom } from './sampler.ts';
import { batchedDelivery } from './span-delivery.ts';

export interface TelemetryOptions {
  /** Name of the app; `OTEL_SERVICE_NAME` overrides it. */
  service: string;
  /** Which replica. */
  instance: string;
  /** The process's own by default. */
  variables?: NodeJS.ProcessEnv;
  /** Told once per outage that spans cannot be delivered; one to standard output by default. */
  logger?: Pick<Logger, 'warn' | 'info'>;
}

export interface Telemetry {
  tracer: Tracer;
  meter: Meter;
  /** All metrics in Prometheus's text format. */
  metricsText: () => Promise<string>;
  /** The same as OpenMetrics text, with exemplars. */
  openMetricsText: () => Promise<string>;
  /** Sends what is buffered and stops; spans that no collector takes within two seconds are lost. Never rejects. */
  shutdown: () => Promise<void>;
}

/** Histograms whose buckets lead to a trace: what clients wait for and what providers take. */
const WITH_EXEMPLARS: ReadonlySet<string> = new Set(['deja.gateway.request.duration', 'deja.gateway.first_byte.duration', GEN_AI_METRICS.operationDuration]);

/** A collector that is away must not hold up a stop. */
const SHUTDOWN_MS = 2000;

/** Metrics are pulled from the ops port, so nothing is pushed and nothing runs between two scrapes. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/**
 * Tracing and metrics of one process, once. Traces are exported by OTLP when a standard endpoint variable is set; without one,
 * spans are not recorded and still carry ids for the logs. No automatic instrumentation: spans are made by hand where they tell something.
 */
export function startTelemetry({ service, instance, variables = process.env, logger = createLogger({ service, instance }) }: TelemetryOptions): Telemetry {
  const resource = resourceOf(variables['OTEL_SERVICE_NAME'] ?? `deja-${service}`, instance);
  const exports = exportsTraces(variables);
  const tracerProvider = new TracerProvider({
    resource,
    sampler: samplerFrom(variables, exports),
    spanProcessors: exports ? [batchedDelivery(variables, logger)] : [],
  });
  // Handlers of messages run inside their caller's context: 0.4 µs a request with 20 awaits (Node 24), and every log line finds its trace.
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracerProvider);

  const histograms = new Histograms();
  const reader = new PullReader({ metricProducers: [histograms] });
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  metrics.setGlobalMeterProvider(meterProvider);
  const exemplars = new Exemplars();
  const meter = exemplars.meter(histograms.meter(meterProvider.getMeter('deja')), WITH_EXEMPLARS);
  const stopObserving = observeProcess(meter);
  observeBuild(meter, service);
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    tracer: tracerProvider.getTracer('deja'),
    meter,
    metricsText: async () => serializer.serialize((await reader.collect()).resourceMetrics),
    openMetricsText: async () => openMetricsText((await reader.collect()).resourceMetrics, (name, labels) => exemplars.of(name, labels)),
    shutdown: async () => {
      stopObserving();
      const waiting = new AbortController();
      const stopped = Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]).then(() => waiting.abort());
      // The delay rejects when it is not needed any more.
      await Promise.race([stopped, delay(SHUTDOWN_MS, undefined, { signal: waiting.signal }).catch(() => {})]);
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
  return propagation.extract(ROOT_CONTEXT, carrier);
}
