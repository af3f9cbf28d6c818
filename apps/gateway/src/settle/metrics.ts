import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import type { AttemptRecord } from '@deja/contracts';
import { CallMetrics } from '../metrics/call-metrics.ts';
import { LabelSets } from '../metrics/label-sets.ts';
import { ModelLabel } from '../metrics/model-label.ts';
import { MoneyMetrics } from '../metrics/money-metrics.ts';
import { StageMetrics } from '../metrics/stage-metrics.ts';
import { Tally } from '../metrics/tally.ts';
import { TenantMetrics } from '../metrics/tenant-metrics.ts';
import type { Operation, Stage } from '../operation/operation.ts';

const SECONDS = { unit: 's', advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120] } };

/** Tenants that are told apart unless the operator says otherwise. */
const MOST_TENANTS = 100;

export interface GatewayMetricsOptions {
  /** Tenants that have figures of their own, those who come first; 0: there are no figures by tenant. */
  tenants?: number;
}

/** Figures of the request path. Labels are bounded: no key, user, or model as the client spelled it; models and tenants only so many (BoundedLabel). */
export class GatewayMetrics {
  /** Is told of each call by itself when it ends, as only then all of it is known. */
  readonly calls: CallMetrics;
  private readonly requests: Tally;
  private readonly duration: Histogram;
  private readonly firstByte: Histogram;
  private readonly attempts: Tally;
  private readonly tokens: Tally;
  private readonly shadows: Counter;
  private readonly stages: StageMetrics;
  private readonly money: MoneyMetrics;
  private readonly tenants: TenantMetrics | null;
  private readonly labels = new LabelSets(['endpoint', 'outcome', 'cache'], () => null);
  private inFlight = 0;

  constructor(meter: Meter, { tenants = MOST_TENANTS }: GatewayMetricsOptions = {}) {
    const models = new ModelLabel();
    this.calls = new CallMetrics(meter, models);
    this.requests = new Tally(meter, { name: 'deja.gateway.requests', description: 'Client requests by outcome, status and cache', labels: ['endpoint', 'outcome', 'cache', 'status', 'error'] });
    this.duration = meter.createHistogram('deja.gateway.request.duration', { description: 'From receiving a request to its settlement', ...SECONDS });
    this.firstByte = meter.createHistogram('deja.gateway.first_byte.duration', { description: 'From receiving a request to the first byte of its answer', ...SECONDS });
    this.attempts = new Tally(meter, { name: 'deja.gateway.attempts', description: 'Upstream calls by deployment and outcome', labels: ['deployment', 'outcome', 'error'] });
    this.tokens = new Tally(meter, { name: 'deja.gateway.tokens', description: 'Tokens bought upstream, by direction', labels: ['direction', 'deployment'] });
    this.shadows = meter.createCounter('deja.gateway.shadows', { description: 'Copies of requests for shadow deployments by what became of them: ok, error, cancelled, dropped (never sent)' });
    for (const outcome of ['ok', 'error', 'cancelled', 'dropped'] as const) this.shadows.add(0, { outcome });
    this.stages = new StageMetrics(meter);
    this.money = new MoneyMetrics(meter, models);
    this.tenants = tenants > 0 ? new TenantMetrics(meter, tenants) : null;
    meter.createObservableGauge('deja.gateway.in_flight', { description: 'Client requests that are being handled' }).addCallback((gauge) => gauge.observe(this.inFlight));
  }

  /** A client's request has come; `ended` is due on every exit. */
  started(): void {
    this.inFlight++;
  }

  ended(): void {
    this.inFlight--;
  }

  count(operation: Operation): void {
    const { endpoint, outcome, cache, firstByteMs } = operation;
    const { labels } = this.labels.of(endpoint, outcome, cache ?? 'none');
    const from = operation.traceContext; // leads from a bucket to a trace
    this.requests.add(1, endpoint, outcome, cache ?? 'none', String(operation.status), operation.errorCode ?? 'none');
    this.duration.record(operation.elapsedMs / 1000, labels, from);
    if (firstByteMs !== null) this.firstByte.record(firstByteMs / 1000, labels, from);
    this.stages.count(operation);
    let costNanoUsd = 0n;
    for (const attempt of operation.attempts) {
      const cost = this.attempt(attempt);
      if (!attempt.shadow) costNanoUsd += cost ?? 0n;
    }
    const savedNanoUsd = this.money.saved(operation);
    this.tenants?.count(operation, { costNanoUsd, savedNanoUsd });
  }

  /** A stage that ends after its request was counted, such as settlement itself. */
  stage(name: Stage, ms: number): void {
    this.stages.passed(name, ms);
  }

  /** Counts one upstream call and returns what it cost, nano-USD; null where nobody knows. */
  attempt(attempt: AttemptRecord): bigint | null {
    const { deployment, outcome, errorCode, usage } = attempt;
    this.attempts.add(1, deployment, outcome, errorCode ?? 'none');
    if (usage !== null) {
      this.tokens.add(usage.promptTokens, 'input', deployment);
      this.tokens.add(usage.completionTokens, 'output', deployment);
    }
    return this.money.bought(attempt);
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
    this.heldEvents = meter.createCounter('deja.gateway.usage.held', { description: 'Usage records that wait in Redis alone: the disk takes no more while the queue has no room, or Redis takes jobs too slowly' });
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
