import type { Context, Histogram, Meter } from '@opentelemetry/api';
import type { AttemptRecord, Candidate, FailureKind } from '@deja/contracts';
import { BUCKETS, GEN_AI, GEN_AI_METRICS, SPAN } from '@deja/telemetry';
import { DEJA } from '../trace/names.ts';
import { genAiProvider } from '../trace/provider-name.ts';
import { LabelSets } from './label-sets.ts';
import type { ModelLabel } from './model-label.ts';

/** A call that has ended, its record closed. */
export interface EndedCall {
  record: AttemptRecord;
  candidate: Pick<Candidate, 'deployment' | 'model'>;
  /** `gen_ai.operation.name` */
  genAiOperation: string;
  /** A model's answer came piece by piece. */
  streams: boolean;
  failure: FailureKind | null;
}

const NAMES = [GEN_AI.operationName, GEN_AI.providerName, GEN_AI.requestModel, DEJA.provider];

/**
 * Calls of models as the conventions measure them: every call to a provider, also those beside a request (moderations, shadows, judgements,
 * vectors). Calls that no model has a part in, as for a list of files, are none.
 * https://github.com/open-telemetry/semantic-conventions-genai
 */
export class CallMetrics {
  private readonly duration: Histogram;
  private readonly firstChunk: Histogram;
  private readonly tokens: Histogram;
  private readonly durationLabels = new LabelSets([...NAMES, SPAN.errorType], () => null);
  private readonly labels = new LabelSets(NAMES, () => null);
  private readonly tokenLabels = new LabelSets([...NAMES, GEN_AI.tokenType], () => null);
  private readonly models: ModelLabel;

  constructor(meter: Meter, models: ModelLabel) {
    this.models = models;
    const seconds = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS.genAiDurationS } };
    this.duration = meter.createHistogram(GEN_AI_METRICS.operationDuration, { description: 'Calls of providers, from sending to the end of the answer', ...seconds });
    this.firstChunk = meter.createHistogram(GEN_AI_METRICS.timeToFirstChunk, { description: 'From sending to the first chunk of a streamed answer', ...seconds });
    this.tokens = meter.createHistogram(GEN_AI_METRICS.tokenUsage, { unit: '{token}', description: 'Tokens of one call, by direction', advice: { explicitBucketBoundaries: BUCKETS.tokens } });
  }

  /** `from`: the trace that may be shown as an example. */
  ended({ record, candidate, genAiOperation, streams, failure }: EndedCall, from?: Context): void {
    if (candidate.model === '') return;
    const { provider, usage, firstByteMs } = record;
    const [kind, model] = [genAiProvider(candidate.deployment), this.models.of(record)];
    this.duration.record(record.durationMs / 1000, this.durationLabels.of(genAiOperation, kind, model, provider, failure ?? '').labels, from);
    if (streams && firstByteMs !== null) this.firstChunk.record(firstByteMs / 1000, this.labels.of(genAiOperation, kind, model, provider).labels, from);
    if (usage === null) return;
    // Where an endpoint counts none of a kind, there is nothing to measure.
    if (usage.promptTokens > 0) this.tokens.record(usage.promptTokens, this.tokenLabels.of(genAiOperation, kind, model, provider, 'input').labels, from);
    if (usage.completionTokens > 0) this.tokens.record(usage.completionTokens, this.tokenLabels.of(genAiOperation, kind, model, provider, 'output').labels, from);
  }
}
