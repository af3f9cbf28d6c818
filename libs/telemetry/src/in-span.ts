import { randomBytes } from 'node:crypto';
import { context, ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags, type Context, type Span } from '@opentelemetry/api';

/** How the failure of a step is told: `type` as `error.type`; `isError` false where it is the way things go, such as a refused client. */
export interface FailedStep {
  type: string;
  isError: boolean;
}

const UNEXPECTED = (error: unknown): FailedStep => ({ type: error instanceof Error ? error.name : '_OTHER', isError: true });

/** Whether anybody will see a child of this context's span. Whoever asks first spares everybody else the cost of spans. */
export const isRecorded = (parent: Context = context.active()): boolean => trace.getSpan(parent)?.isRecording() ?? false;

/** Runs a step within an INTERNAL span of its own, which is active meanwhile, so that calls and log lines belong to it. Rejects with what the step throws. */
export async function inSpan<T>(name: string, step: (span: Span) => T | Promise<T>, parent: Context = context.active(), failed: (error: unknown) => FailedStep = UNEXPECTED): Promise<T> {
  const span = trace.getTracer('deja').startSpan(name, {}, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => step(span));
  } catch (error) {
    const { type, isError } = failed(error);
    span.setAttribute('error.type', type);
    if (isError) span.setStatus({ code: SpanStatusCode.ERROR, message: type });
    throw error;
  } finally {
    span.end();
  }
}

/** The context of a trace that is not sampled, for what is asked every few seconds on nobody's behalf: it would fill a collector with traces that tell nothing. */
export const unsampled = (): Context =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), traceFlags: TraceFlags.NONE });
