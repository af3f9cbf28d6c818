import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import type { AttemptRecord } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';

const SECONDS = { unit: 's', advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120] } };

/** Figures of the request path. Labels are bounded: no key, user, tenant or model as the client spelled it. */
export class GatewayMetrics {
  private readonly requests: Counter;
  private readonly duration: Histogram;
  private readonly firstByte: Histogram;
  private readonly attempts: Counter;
  private readonly tokens: Counter;
  private readonly shadows: Counter;

  constructor(meter: Meter) {
    this.requests = meter.createCounter('deja.gateway.requests', { description: 'Client requests by outcome, status and cache' });
    this.duration = meter.createHistogram('deja.gateway.request.duration', { description: 'From receiving a request to its settlement', ...SECONDS });
    this.firstByte = meter.createHistogram('deja.gateway.first_byte.duration', { description: 'From receiving a request to the first byte of its answer', ...SECONDS });
    this.attempts = meter.createCounter('deja.gateway.attempts', { description: 'Upstream calls by deployment and outcome' });
    this.tokens = meter.createCounter('deja.gateway.tokens', { description: 'Tokens bought upstream, by direction' });
    this.shadows = meter.createCounter('deja.gateway.shadows', { description: 'Copies of requests for shadow deployments by what became of them: ok, error, cancelled, dropped (never sent)' });
    for (const outcome of ['ok', 'error', 'cancelled', 'dropped'] as const) this.shadows.add(0, { outcome });
  }

  count(operation: Operation): void {
    const labels = { endpoint: operation.endpoint, outcome: operation.outcome, cache: operation.cache ?? 'none' };
    this.requests.add(1, { ...labels, status: operation.status, error: operation.errorCode ?? 'none' });
    this.duration.record(operation.elapsedMs / 1000, labels);
    if (operation.firstByteMs !== null) this.firstByte.record(operation.firstByteMs / 1000, labels);
    for (const attempt of operation.attempts) this.attempt(attempt);
  }

  attempt({ deployment, outcome, errorCode, usage }: AttemptRecord): void {
    this.attempts.add(1, { deployment, outcome, error: errorCode ?? 'none' });
    if (usage === null) return;
    this.tokens.add(usage.promptTokens, { direction: 'input', deployment });
    this.tokens.add(usage.completionTokens, { direction: 'output', deployment });
  }

  /** `dropped`: never sent, because too many ran already, or because the request cannot be put to this deployment. */
  shadow(outcome: AttemptRecord['outcome'] | 'dropped'): void {
    this.shadows.add(1, { outcome });
  }
}

/** How figures leave this process for the ledger. */
export class OutboxMetrics {
  private readonly meter: Meter;
  private readonly spooledEvents: Counter;
  private readonly heldEvents: Counter;
  private readonly lostEvents: Counter;

  constructor(meter: Meter) {
    this.meter = meter;
    this.spooledEvents = meter.createCounter('deja.gateway.usage.spooled', { description: 'Usage records that went to the disk, by why: redis_away, queue_full' });
    this.heldEvents = meter.createCounter('deja.gateway.usage.held', { description: 'Usage records that stay in Redis until the queue has room, because the disk takes no more' });
    this.lostEvents = meter.createCounter('deja.gateway.usage.lost', { description: 'Usage records that neither Redis nor the disk took' });
    for (const why of ['redis_away', 'queue_full'] as const) this.spooledEvents.add(0, { why });
    this.heldEvents.add(0);
    this.lostEvents.add(0);
  }

  watch({ spoolBytes, queueRoomBytes }: { spoolBytes: () => number; queueRoomBytes: () => number }): void {
    this.meter.createObservableGauge('deja.gateway.usage.spool.bytes', { unit: 'By', description: 'Usage records that wait on this disk, of all gateways that share it' }).addCallback((gauge) => gauge.observe(spoolBytes()));
    this.meter.createObservableGauge('deja.gateway.usage.queue.room', { unit: 'By', description: 'Bytes of Redis that are left to the usage queue, about' }).addCallback((gauge) => gauge.observe(queueRoomBytes()));
  }

  spooled(events: number, why: 'redis_away' | 'queue_full'): void {
    this.spooledEvents.add(events, { why });
  }

  held(events: number): void {
    this.heldEvents.add(events);
  }

  lost(events: number): void {
    this.lostEvents.add(events);
  }
}
