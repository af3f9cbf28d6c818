import type { Histogram, Meter } from '@opentelemetry/api';
import type { AttemptRecord } from '@deja/contracts';
import type { Stage } from '../operation/operation.ts';
import { LabelSets } from './label-sets.ts';

const STAGE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const ADDED_BUCKETS = [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** How far a request came, as far as its times need to know. */
export interface TimedOperation {
  endpoint: string;
  cache: string | null;
  /** Milliseconds by stage, of those it went through. */
  stages: ReadonlyMap<Stage, number>;
  /** null: it was never answered. */
  firstByteMs: number | null;
  attempts: readonly Pick<AttemptRecord, 'shadow' | 'firstByteMs' | 'durationMs'>[];
}

/** Where the time of requests goes. */
export class StageMetrics {
  private readonly stage: Histogram;
  private readonly added: Histogram;
  private readonly stageLabels = new LabelSets(['stage'], () => null);
  private readonly addedLabels = new LabelSets(['endpoint', 'cache'], () => null);

  constructor(meter: Meter) {
    this.stage = meter.createHistogram('deja.gateway.stage.duration', { unit: 's', description: 'Time that requests spend in each step of the pipeline', advice: { explicitBucketBoundaries: STAGE_BUCKETS } });
    this.added = meter.createHistogram('deja.gateway.added.duration', { unit: 's', description: 'What deja itself took before the first byte of an answer: the time to it less what was waited for providers', advice: { explicitBucketBoundaries: ADDED_BUCKETS } });
  }

  count(operation: TimedOperation): void {
    for (const [stage, ms] of operation.stages) this.passed(stage, ms);
    const addedMs = addedMsOf(operation);
    if (addedMs !== null) this.added.record(addedMs / 1000, this.addedLabels.of(operation.endpoint, operation.cache ?? 'none').labels);
  }

  /** One stage by itself, such as one that ends after its request was counted. */
  passed(stage: Stage, ms: number): void {
    this.stage.record(ms / 1000, this.stageLabels.of(stage).labels);
  }
}

/**
 * What deja took before the first byte, ms; null where there was none. Waiting for another request's call of the same question is waiting for a
 * provider. What is only passed on has no stage `upstream`: there its calls tell, one after the other, of which the last gave the answer.
 */
export function addedMsOf({ firstByteMs, stages, attempts }: Pick<TimedOperation, 'firstByteMs' | 'stages' | 'attempts'>): number | null {
  if (firstByteMs === null) return null;
  const waitedMs = stages.get('upstream') ?? attempts.reduce((sum, attempt) => sum + (attempt.shadow ? 0 : (attempt.firstByteMs ?? attempt.durationMs)), 0);
  return Math.max(0, firstByteMs - waitedMs);
}
