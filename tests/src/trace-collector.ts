import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As OTLP numbers them. */
const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const STATUSES = ['unset', 'ok', 'error'] as const;

export type SpanValue = string | number | boolean | null | SpanValue[];

export interface CollectedSpan {
  service: string;
  name: string;
  kind: (typeof KINDS)[number];
  status: (typeof STATUSES)[number];
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  /** Traces that it links to. */
  links: string[];
  /** Spans that it links to. */
  linkedSpans: string[];
  /** Unix milliseconds, with fractions. */
  startMs: number;
  endMs: number;
  events: { name: string; atMs: number }[];
  /** Values as JavaScript has them; whole numbers are numbers. */
  attributes: Record<string, SpanValue>;
}

interface OtlpValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values?: OtlpValue[] };
}

interface OtlpAttribute {
  key: string;
  value: OtlpValue;
}

interface OtlpSpan {
  name: string;
  kind?: number;
  status?: { code?: number };
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  links?: { traceId: string; spanId: string }[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  events?: { name: string; timeUnixNano: string }[];
  attributes?: OtlpAttribute[];
}

interface OtlpTraces {
  resourceSpans: { resource: { attributes: OtlpAttribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

/** Takes OTLP over HTTP as a collector does, and keeps the spans. */
export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (request.url === '/v1/traces') this.take(JSON.parse(Buffer.concat(parts).toString('utf8')) as OtlpTraces);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async start(): Promise<TraceCollector> {
    const collector = new TraceCollector();
    await new Promise<void>((resolve) => collector.server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Spans of one trace, the earliest first. */
  trace(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId).sort((a, b) => a.startMs - b.startMs);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(traces: OtlpTraces): void {
    for (const { resource, scopeSpans } of traces.resourceSpans) {
      const service = String(valuesOf(resource.attributes)['service.name']);
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) this.spans.push(collected(service, span));
    }
  }
}

function collected(service: string, span: OtlpSpan): CollectedSpan {
  const links = span.links ?? [];
  return {
    service,
    name: span.name,
    kind: KINDS[span.kind ?? 0] ?? 'unspecified',
    status: STATUSES[span.status?.code ?? 0] ?? 'unset',
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? null,
    links: links.map((link) => link.traceId),
    linkedSpans: links.map((link) => link.spanId),
    startMs: msOf(span.startTimeUnixNano),
    endMs: msOf(span.endTimeUnixNano),
    events: (span.events ?? []).map(({ name, timeUnixNano }) => ({ name, atMs: msOf(timeUnixNano) })),
    attributes: valuesOf(span.attributes ?? []),
  };
}

/** Nanoseconds as text; more digits than a number has, so the milliseconds are taken apart first. */
const msOf = (nano: string): number => Number(BigInt(nano) / 1_000n) / 1_000;

const valuesOf = (attributes: OtlpAttribute[]): Record<string, SpanValue> => Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));

function valueOf(value: OtlpValue): SpanValue {
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(valueOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue ?? null;
}
