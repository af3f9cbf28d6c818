import { DejaError, type LateAttempt, type OpenOperation, type OperationRecord } from '@deja/contracts';
import { knownCostNanoUsd } from '@deja/pricing';
import { isUp, openPipeline, queueScript, scriptReply, type RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import type { AnswerStore } from '../cache/answer-store.ts';
import type { RequestLog } from '../capture/request-log.ts';
import type { Operation } from '../operation/operation.ts';
import type { Reserver } from '../limits/reserve.ts';
import { endOperationSpan } from '../trace/operation-span.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { chargedTokens, settledRecord } from './settlement.ts';

/** Step 10, on every exit: limits get the actual figures, the ledger gets its row, the trace its end. */
export class Settler {
  constructor(
    private readonly reserver: Reserver,
    private readonly redis: RedisClient,
    private readonly outbox: Outbox,
    private readonly answers: AnswerStore,
    private readonly metrics: GatewayMetrics,
    private readonly requestLog: Pick<RequestLog, 'take'>,
    private readonly logger: Pick<Logger, 'error' | 'debug'>,
  ) {}

  /** A request has come; `settle` is due on every exit. */
  came(): void {
    this.metrics.started();
  }

  opened(open: OpenOperation, recorded: boolean): void {
    this.outbox.opened(open, recorded);
  }

  /** Never throws. An operation whose client is unknown has no row: nobody's bill is touched. */
  async settle(operation: Operation): Promise<void> {
    this.endSpan(operation);
    this.metrics.count(operation);
    this.metrics.ended();
    if (operation.principal === null) return;
    await operation.timed('settle', () => this.write(operation, settledRecord(operation.facts())));
    this.metrics.stage('settle', operation.stages.get('settle') ?? 0);
    this.requestLog.take(operation);
  }

  /** A shadow that goes into the ledger by itself. Never throws. */
  async late(event: LateAttempt): Promise<void> {
    this.metrics.attempt(event.attempt);
    await this.outbox.late(event);
  }

  /**
   * Record, limits and cache in one write, begun before the client can ask again: the same question on the next line of the
   * same connection finds the answer.
   */
  private async write(operation: Operation, record: OperationRecord): Promise<void> {
    const { kept, reservation } = operation;
    const quotas = operation.quotas?.settlement() ?? [];
    const limits = reservation === null ? [] : this.reserver.settlement(reservation, { tokens: chargedTokens(record), nanoUsd: knownCostNanoUsd(record.attempts) });
    if (!isUp(this.redis)) return this.outbox.settled(record, false);
    const pipeline = openPipeline(this.redis);
    const text = this.outbox.queue(pipeline, record);
    const scripts = [...limits, ...quotas];
    for (const script of scripts) queueScript(pipeline, script);
    const apart = kept.length === 0 || this.answers.redis === this.redis ? null : openPipeline(this.answers.redis);
    for (const answer of kept) this.answers.queue(apart ?? pipeline, answer);
    const [replies, keptApart] = await Promise.all([pipeline.exec(), apart?.exec()]);
    this.outbox.settled(record, replies[0]?.[0] === null, text);
    // A script that this Redis does not know yet says nothing of the answers.
    const written = keptApart ?? replies.slice(1 + scripts.length);
    if (written.every(([error]) => error === null)) await Promise.all(kept.map((answer) => this.answers.written(answer)));
    await Promise.all(scripts.map((script, i) => scriptReply(this.redis, replies[i + 1], script))).catch((error: unknown) => {
      // Once per request during an outage, which the connection logs itself.
      this.logger.debug({ err: error, request_id: operation.id }, 'a reservation was not corrected; it counts for the rest of its time');
    });
  }

  /** A defect of ours: the log gets everything, the client a request id. */
  unexpected(operation: Operation, error: unknown): DejaError {
    this.logger.error({ err: error, request_id: operation.id }, 'a request failed unexpectedly');
    return new DejaError('internal_error', `The gateway failed to handle this request (${operation.id}).`, { cause: error });
  }

  /** The client has its answer: settlement comes after it. Whatever a span trips over, the ledger gets its row. */
  private endSpan(operation: Operation): void {
    try {
      endOperationSpan(operation);
    } catch (error) {
      this.logger.error({ err: error, request_id: operation.id }, 'the span of a request could not be filled in');
    }
  }
}
