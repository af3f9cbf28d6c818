import { SpanStatusCode } from '@opentelemetry/api';
import { DejaError, type OpenOperation } from '@deja/contracts';
import { GEN_AI, type Logger } from '@deja/telemetry';
import type { Operation } from '../chat/operation.ts';
import type { Reserver } from '../limits/reserve.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { chargedTokens, settledRecord } from './settlement.ts';

/** Step 10, on every exit: limits get the actual figures, the ledger gets its row, the trace its end. */
export class Settler {
  constructor(
    private readonly reserver: Reserver,
    private readonly outbox: Outbox,
    private readonly metrics: GatewayMetrics,
    private readonly logger: Pick<Logger, 'error' | 'warn'>,
  ) {}

  opened(open: OpenOperation, recorded: boolean): void {
    this.outbox.opened(open, recorded);
  }

  /** Never throws. An operation whose client is unknown has no row: nobody's bill is touched. */
  async settle(operation: Operation): Promise<void> {
    this.endSpan(operation);
    this.metrics.count(operation);
    if (operation.principal === null) return;
    const record = settledRecord(operation.facts());
    // Begun together, these share one write to Redis.
    await Promise.all([operation.keeping, this.correctLimits(operation, chargedTokens(record)), this.outbox.settled(record)]);
  }

  private async correctLimits(operation: Operation, usedTokens: number): Promise<void> {
    const { reservation } = operation;
    if (reservation === null) return;
    await this.reserver.settle(reservation, { tokens: usedTokens - reservation.tokens }).catch((error: unknown) => {
      this.logger.warn({ err: error, request_id: operation.id }, 'a token reservation was not corrected; it counts for the rest of its minute');
    });
  }

  /** A defect of ours: the log gets everything, the client a request id. */
  unexpected(operation: Operation, error: unknown): DejaError {
    this.logger.error({ err: error, request_id: operation.id }, 'a request failed unexpectedly');
    return new DejaError('internal_error', `The gateway failed to handle this request (${operation.id}).`, { cause: error });
  }

  private endSpan(operation: Operation): void {
    const { span, hit } = operation;
    span.setAttributes({
      [GEN_AI.operationName]: 'chat',
      [GEN_AI.requestModel]: operation.requestedModel,
      'deja.request_id': operation.id,
      'deja.cache': operation.cache ?? 'none',
      'http.response.status_code': operation.status,
      ...(hit && { 'deja.cache_entry': hit.meta.id }),
    });
    if (operation.outcome === 'error') span.setStatus({ code: SpanStatusCode.ERROR, message: operation.errorCode ?? '' });
    span.end();
  }
}
