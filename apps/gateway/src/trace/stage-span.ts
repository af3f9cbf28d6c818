import { trace, type Context } from '@opentelemetry/api';
import { DejaError } from '@deja/contracts';
import { inSpan, type FailedStep } from '@deja/telemetry';
import { AttemptFailure } from '../attempt/failure.ts';

/** Runs a stage of the pipeline within its span `deja.<stage>`. Rejects with what the step throws. */
export const inStage = <T>(stage: string, parent: Context, step: () => T | Promise<T>): Promise<T> => inSpan(`deja.${stage}`, step, parent, failedStage);

/** So long a part has taken that is worth seeing. */
const WORTH_SEEING_MS = 1;

/** The span of a stage that has just ended. @param fromMs when it began, by `performance.now()` */
export function stageAfterwards(stage: string, parent: Context, fromMs: number): void {
  const tookMs = performance.now() - fromMs;
  if (tookMs >= WORTH_SEEING_MS) trace.getTracer('deja').startSpan(`deja.${stage}`, { startTime: Date.now() - tookMs }, parent).end();
}

/** A request that is refused, or whose client has left, is no error of this service, and its trace none to be kept for that. */
function failedStage(error: unknown): FailedStep {
  if (error instanceof DejaError) return { type: error.code, isError: error.status >= 500 };
  if (error instanceof AttemptFailure) return { type: error.kind, isError: false };
  return { type: 'internal_error', isError: true };
}
