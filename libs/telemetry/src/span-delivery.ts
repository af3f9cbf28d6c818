import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';

/** Spans go out in batches, as the standard `OTEL_BSP_*` variables say; the processor itself does not read them. */
export function batchedDelivery(variables: NodeJS.ProcessEnv, logger: Pick<Logger, 'warn' | 'info'>): SpanProcessor {
  const given = (name: string, otherwise: number): number => {
    const value = Number(variables[name] || otherwise);
    return value >= 0 ? value : otherwise;
  };
  const maxQueueSize = given('OTEL_BSP_MAX_QUEUE_SIZE', 2048);
  return new BatchSpanProcessor({
    exporter: new SpanDelivery(logger),
    maxQueueSize,
    maxExportBatchSize: Math.min(given('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512), maxQueueSize),
    scheduledDelayMillis: given('OTEL_BSP_SCHEDULE_DELAY', 5000),
    exportTimeoutMillis: given('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  });
}

/** OTLP over HTTP as the standard `OTEL_EXPORTER_OTLP_*` variables say. Tells the log once when a collector goes away, and once when it is back. */
class SpanDelivery implements SpanExporter {
  private readonly exporter: SpanExporter = new OTLPTraceExporter();
  private readonly logger: Pick<Logger, 'warn' | 'info'>;
  private isDown = false;
  private lost = 0;

  constructor(logger: Pick<Logger, 'warn' | 'info'>) {
    this.logger = logger;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.delivered();
      else this.failed(spans.length, result.error);
      done(result);
    });
  }

  private delivered(): void {
    if (this.isDown) this.logger.info({ lost_spans: this.lost }, 'spans are delivered again');
    this.isDown = false;
    this.lost = 0;
  }

  private failed(count: number, error: Error | undefined): void {
    if (!this.isDown) this.logger.warn({ err: error }, 'spans cannot be delivered; they are lost until the collector answers');
    this.isDown = true;
    this.lost += count;
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }
}
