import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Link, type Span, type Tracer } from '@opentelemetry/api';
import { contextOf } from '@deja/telemetry';
import type { Inserted, LedgerEvent } from './ledger.ts';

/** OpenTelemetry keeps 128 links a span by default and drops the rest. */
const LINKS_A_SPAN = 128;

/** Spans of one batch, each linked to operations whose trace is recorded. They are roots: a batch belongs to no single request. */
export function spansOfBatch(tracer: Tracer, events: LedgerEvent[]): { end(inserted: Inserted | null): void } {
  const links = events.flatMap((event) => ('rows' in event && event.traceparent !== null ? linkTo(event.traceparent) : []));
  const spans: Span[] = [];
  for (let i = 0; i === 0 || i < links.length; i += LINKS_A_SPAN) {
    spans.push(
      tracer.startSpan(
        'record usage',
        { kind: SpanKind.CONSUMER, root: true, links: links.slice(i, i + LINKS_A_SPAN), attributes: { 'messaging.batch.message_count': events.length } },
        ROOT_CONTEXT,
      ),
    );
  }
  return {
    end: (inserted) => {
      for (const span of spans) {
        if (inserted) span.setAttribute('deja.usage.duplicates', inserted.duplicates);
        else span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
    },
  };
}

function linkTo(traceparent: string): Link[] {
  const context = trace.getSpanContext(contextOf({ traceparent }));
  return context && (context.traceFlags & TraceFlags.SAMPLED) !== 0 ? [{ context }] : [];
}
