import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Link, type Span, type Tracer } from '@opentelemetry/api';
import { USAGE_QUEUE } from '@deja/contracts';
import { contextOf, SPAN } from '@deja/telemetry';
import type { Inserted, LedgerEvent } from './ledger.ts';

/** OpenTelemetry keeps 128 links a span by default and drops the rest. */
const LINKS_A_SPAN = 128;

/** Name and attributes by the messaging conventions: operation and destination. */
const ABOUT = { [SPAN.messagingSystem]: 'bullmq', [SPAN.messagingOperation]: 'record', [SPAN.messagingOperationType]: 'process', [SPAN.messagingDestination]: USAGE_QUEUE };

/** Spans of one batch, each linked to operations whose trace is recorded. They are roots: a batch belongs to no single request. */
export function spansOfBatch(tracer: Tracer, events: LedgerEvent[]): { end(inserted: Inserted | null): void } {
  const links = events.flatMap((event) => ('rows' in event && event.traceparent !== null ? linkTo(event.traceparent, event.rows.operation.id) : []));
  const spans: Span[] = [];
  for (let i = 0; i === 0 || i < links.length; i += LINKS_A_SPAN) {
    spans.push(
      tracer.startSpan(
        `record ${USAGE_QUEUE}`,
        { kind: SpanKind.CONSUMER, root: true, links: links.slice(i, i + LINKS_A_SPAN), attributes: { ...ABOUT, [SPAN.messagingBatchCount]: events.length } },
        ROOT_CONTEXT,
      ),
    );
  }
  return {
    end: (inserted) => {
      for (const span of spans) {
        if (inserted) span.setAttribute('deja.usage.duplicates', inserted.duplicates);
        else span.setAttribute(SPAN.errorType, '_OTHER').setStatus({ code: SpanStatusCode.ERROR, message: 'not written' });
        span.end();
      }
    },
  };
}

/** To the span of an operation; none where nobody recorded it. */
function linkTo(traceparent: string, operation: string): Link[] {
  const context = trace.getSpanContext(contextOf({ traceparent }));
  return context && (context.traceFlags & TraceFlags.SAMPLED) !== 0 ? [{ context, attributes: { 'deja.request_id': operation } }] : [];
}
