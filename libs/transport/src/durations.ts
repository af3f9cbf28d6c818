import { metrics, type Attributes, type Histogram } from '@opentelemetry/api';
import type { ServiceName } from '@deja/contracts';
import { RpcCancelled, RpcTimeout, RpcUnavailable } from './errors.ts';

type CallOutcome = 'ok' | 'error' | 'timeout' | 'unavailable' | 'cancelled';

/** Between processes on one network most calls take a few milliseconds, and deadlines a few seconds. */
const BUCKETS_S = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long callers wait for replies of one service, by what came of it. */
export class CallDurations {
  private readonly histogram: Histogram;
  private readonly service: ServiceName;
  private readonly labels = new Map<string, Record<CallOutcome, Attributes>>();

  constructor(service: ServiceName) {
    this.service = service;
    this.histogram = metrics.getMeter('deja').createHistogram('deja.transport.call.duration', {
      unit: 's',
      description: 'Calls of other services, from sending to the reply or to giving up',
      advice: { explicitBucketBoundaries: BUCKETS_S },
    });
  }

  /** `error` is what the call was rejected with; undefined where it was answered. */
  ended(method: string, tookMs: number, error: unknown): void {
    let labels = this.labels.get(method);
    if (labels === undefined) this.labels.set(method, (labels = this.labelsFor(method)));
    this.histogram.record(tookMs / 1000, labels[outcomeOf(error)]);
  }

  private labelsFor(method: string): Record<CallOutcome, Attributes> {
    const labelled = (outcome: CallOutcome): Attributes => ({ service: this.service, method, outcome });
    return { ok: labelled('ok'), error: labelled('error'), timeout: labelled('timeout'), unavailable: labelled('unavailable'), cancelled: labelled('cancelled') };
  }
}

function outcomeOf(error: unknown): CallOutcome {
  if (error === undefined) return 'ok';
  if (error instanceof RpcTimeout) return 'timeout';
  if (error instanceof RpcUnavailable) return 'unavailable';
  return error instanceof RpcCancelled ? 'cancelled' : 'error';
}

/** How long one replica's handlers take, of requests and of events. */
export class HandlingDurations {
  private readonly histogram: Histogram;
  private readonly service: ServiceName;
  private readonly labels = new Map<string, Attributes>();

  constructor(service: ServiceName) {
    this.service = service;
    this.histogram = metrics.getMeter('deja').createHistogram('deja.transport.handling.duration', {
      unit: 's',
      description: 'Handling of requests and events by this replica, from taking one to its end',
      advice: { explicitBucketBoundaries: BUCKETS_S },
    });
  }

  /** Only of messages that have a handler: what others are called comes from outside. */
  ended(method: string, tookMs: number): void {
    let labels = this.labels.get(method);
    if (labels === undefined) this.labels.set(method, (labels = { service: this.service, method }));
    this.histogram.record(tookMs / 1000, labels);
  }
}
