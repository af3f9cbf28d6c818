import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { BUCKETS, carrierOf, contextOf, createLogger, GEN_AI, GEN_AI_METRICS, startTelemetry, type Telemetry } from './index.ts';
import { parseOpenMetrics } from './open-metrics-parser.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

interface ExportedSpan {
  traceId: string;
  parentSpanId?: string;
  name: string;
}
interface TraceExport {
  resourceSpans: { resource: { attributes: { key: string; value: { stringValue?: string } }[] }; scopeSpans: { spans: ExportedSpan[] }[] }[];
}

/** Takes OTLP as a collector does; `status` null never answers. */
class Collector {
  readonly received: TraceExport[] = [];
  status: number | null = 200;
  private waiting: (() => void)[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (this.status !== null) {
        if (this.status === 200) this.received.push(JSON.parse(Buffer.concat(chunks).toString()) as TraceExport);
        response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
      }
      for (const arrived of this.waiting.splice(0)) arrived();
    });
  });
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
  get spans(): ExportedSpan[] {
    return this.received.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
  }
  nextRequest(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  start(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }
  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

let collector: Collector;
let started: Telemetry[] = [];
let said = '';

beforeEach(async () => {
  collector = new Collector();
  await collector.start();
  said = '';
});
afterEach(async () => {
  await Promise.all(started.map((telemetry) => telemetry.shutdown()));
  started = [];
  collector.stop();
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
});

function start(variables: Record<string, string> = {}): Telemetry {
  // The exporter reads the process's own variables, as the standard says.
  Object.assign(process.env, variables);
  const logger = createLogger({ service: 'gateway', instance: 'gateway-1', destination: { write: (line) => void (said += line) } });
  const telemetry = startTelemetry({ service: 'gateway', instance: 'gateway-1', logger });
  started.push(telemetry);
  return telemetry;
}

describe('traces', () => {
  test('without an endpoint nothing is recorded, and spans carry valid ids in the caller’s trace', () => {
    const { tracer } = start();
    const span = tracer.startSpan('x', {}, contextOf({ traceparent: PARENT }));
    expect(span.isRecording()).toBe(false);
    expect(span.spanContext().traceId).toBe(TRACE_ID);
    expect(span.spanContext().spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
    expect(tracer.startSpan('y').spanContext().traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(tracer.startSpan('y').spanContext().traceId).not.toBe(TRACE_ID);
  });

  test('with an endpoint spans arrive there, under the app’s name and in one trace', async () => {
    const telemetry = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging' });
    const span = telemetry.tracer.startSpan('server', {}, contextOf({ traceparent: PARENT }));
    telemetry.tracer.startSpan('client', { attributes: { [GEN_AI.requestModel]: 'gpt-4o' } }, trace.setSpan(ROOT_CONTEXT, span)).end();
    span.end();
    await telemetry.shutdown();
    expect(collector.spans.map(({ name, traceId, parentSpanId }) => ({ name, traceId, parentSpanId }))).toEqual([
      { name: 'client', traceId: TRACE_ID, parentSpanId: span.spanContext().spanId },
      { name: 'server', traceId: TRACE_ID, parentSpanId: 'b7ad6b7169203331' },
    ]);
    const attributes = Object.fromEntries(collector.received[0]!.resourceSpans[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue]));
    expect(attributes).toMatchObject({ 'service.name': 'deja-gateway', 'service.instance.id': 'gateway-1', 'service.namespace': 'deja', 'deployment.environment.name': 'staging' });
  });

  test.each<[variables: Record<string, string>, own: boolean, ofSampledParent: boolean]>([
    [{}, true, true],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, false, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, false, true],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, false, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, false, true],
    [{ OTEL_TRACES_EXPORTER: 'none' }, false, false],
    [{ OTEL_SDK_DISABLED: 'true' }, false, false],
  ])('%o decides what is recorded', (variables, own, ofSampledParent) => {
    const { tracer } = start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`, ...variables });
    expect(tracer.startSpan('own').isRecording()).toBe(own);
    expect(tracer.startSpan('child', {}, contextOf({ traceparent: PARENT })).isRecording()).toBe(ofSampledParent);
  });

  test('OTEL_SERVICE_NAME names the service', async () => {
    const telemetry = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'edge' });
    telemetry.tracer.startSpan('x').end();
    await telemetry.shutdown();
    expect(JSON.stringify(collector.received[0]!.resourceSpans[0]!.resource)).toContain('{"key":"service.name","value":{"stringValue":"edge"}}');
  });

  test('a collector that is away is said once, and a stop does not wait for it', async () => {
    const telemetry = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1', OTEL_BSP_EXPORT_TIMEOUT: '2500', OTEL_EXPORTER_OTLP_TIMEOUT: '2500' });
    collector.status = 400; // not worth a repeat, so the exporter gives up at once
    for (let n = 0; n < 3; n++) {
      const arrived = collector.nextRequest();
      telemetry.tracer.startSpan('x').end();
      await arrived;
    }
    collector.status = null;
    const arrived = collector.nextRequest();
    telemetry.tracer.startSpan('x').end();
    await arrived;
    await telemetry.shutdown();
    expect(said.match(/spans cannot be delivered/g)).toHaveLength(1);
  });
});

describe('trace context', () => {
  test('what is extracted is injected unchanged', () => {
    start();
    expect(carrierOf(contextOf({ traceparent: PARENT, tracestate: 'a=b' }))).toEqual({ traceparent: PARENT, tracestate: 'a=b' });
  });

  test('no or a malformed traceparent is a fresh root, never an error', () => {
    const { tracer } = start();
    for (const traceparent of [undefined, '', 'x', `${PARENT}-`, PARENT.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32))]) {
      expect(trace.getSpanContext(contextOf(traceparent === undefined ? {} : { traceparent }))).toBeUndefined();
    }
    expect(tracer.startSpan('x', {}, contextOf({})).spanContext().traceFlags & TraceFlags.SAMPLED).toBe(0);
  });
});

describe('metrics', () => {
  test('what was counted and measured is there in Prometheus’s format, with the conventions’ buckets', async () => {
    const { meter, metricsText } = start();
    meter.createCounter('deja.gateway.requests', { description: 'Client requests' }).add(2, { outcome: 'ok' });
    meter.createHistogram(GEN_AI_METRICS.operationDuration, { unit: 's', advice: { explicitBucketBoundaries: BUCKETS.genAiDurationS } }).record(0.03, { [GEN_AI.operationName]: 'chat' });
    const text = await metricsText();
    expect(text).toContain('# TYPE deja_gateway_requests_total counter\ndeja_gateway_requests_total{outcome="ok"} 2');
    expect(text).toContain('gen_ai_client_operation_duration_bucket{gen_ai_operation_name="chat",le="0.02"} 0');
    expect(text).toContain('gen_ai_client_operation_duration_bucket{gen_ai_operation_name="chat",le="0.04"} 1');
    expect(text).toContain('gen_ai_client_operation_duration_sum{gen_ai_operation_name="chat"} 0.03');
  });

  test('in OpenMetrics the histograms that clients and providers fill lead to recorded traces, and to no others', async () => {
    const { tracer, meter, openMetricsText } = start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: 'parentbased_always_off' });
    const advice = { explicitBucketBoundaries: [0.1, 1] };
    for (const name of ['deja.gateway.request.duration', 'deja.gateway.first_byte.duration', GEN_AI_METRICS.operationDuration]) {
      const histogram = meter.createHistogram(name, { unit: 's', advice });
      const recorded = tracer.startSpan('x', {}, contextOf({ traceparent: PARENT }));
      recorded.end();
      histogram.record(0.03, { endpoint: 'x' }, trace.setSpan(ROOT_CONTEXT, recorded));
      histogram.record(0.5, { endpoint: 'x' }, trace.setSpan(ROOT_CONTEXT, tracer.startSpan('unrecorded')));
      const family = parseOpenMetrics(await openMetricsText()).get(name.replaceAll('.', '_'));
      expect(family?.samples.map(({ exemplar }) => exemplar?.labels['trace_id'])).toEqual([TRACE_ID, undefined, undefined, undefined, undefined]);
    }
  });

  test('in both forms there are the same series with the same values', async () => {
    const { meter, metricsText, openMetricsText } = start();
    meter.createCounter('deja.gateway.requests').add(2, { outcome: 'ok', cache: 'a "b"\\\n' });
    meter.createHistogram('deja.some.duration', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1] } }).record(0.5, { method: 'x' });
    const bound = (line: string): string => line.replace(/le="([\d.]+)"/, (_, le: string) => `le="${Number(le)}"`);
    const own = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('deja')).map(bound).toSorted();
    expect(own(await openMetricsText())).toEqual(own(await metricsText()));
  });

  test('the process itself is measured', async () => {
    const { metricsText } = start();
    const text = await metricsText();
    for (const series of ['process_cpu_time_total{cpu_mode="user"}', 'process_cpu_time_total{cpu_mode="system"}', 'process_memory_usage', 'v8js_memory_heap_used', 'nodejs_eventloop_delay_p99', 'nodejs_eventloop_utilization']) {
      const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
      expect({ series, value: Number(line?.split(' ')[1]) }).toEqual({ series, value: expect.any(Number) });
      expect(line).toBeDefined();
    }
  });
});
