import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { ledgerEvent } from '../src/intake/ledger-event.ts';
import { spansOfBatch } from '../src/ledger/batch-span.ts';
import './infrastructure.ts';
import { operationRecord } from './records.ts';

test('the spans of a batch link to every operation whose trace is recorded, however many there are', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const traceId = (i: number): string => (i + 1).toString(16).padStart(32, '0');
  const event = (traceparent: string | null) => ledgerEvent(operationRecord({ traceparent }), { nowMs: Date.now(), open: 'rejected' });
  const sampled = Array.from({ length: 300 }, (_, i) => event(`00-${traceId(i)}-b7ad6b7169203331-01`));
  const spans = spansOfBatch(provider.getTracer('test'), [...sampled, event(`00-${traceId(999)}-b7ad6b7169203331-00`), event(null), event('nonsense')]);
  spans.end({ settled: 300, orphaned: 0, late: 0, duplicates: 3 });
  const finished = exporter.getFinishedSpans();
  expect(finished.flatMap((span) => span.links.map((link) => link.context.traceId))).toEqual(sampled.map((_, i) => traceId(i)));
  expect(new Set(finished.map((span) => span.spanContext().traceId)).size).toBe(finished.length);
  expect(finished[0]?.attributes).toMatchObject({ 'messaging.batch.message_count': 303, 'deja.usage.duplicates': 3 });
});
