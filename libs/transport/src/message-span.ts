import { context, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api';
import { DejaError, type ServiceName } from '@deja/contracts';
import { contextOf, SPAN } from '@deja/telemetry';
import { eventsKey, type WireMessage } from './protocol.ts';
import type { StreamsContext } from './streams-context.ts';

/** Of a call, on both sides of it. */
export const rpcAttributes = (service: ServiceName, pattern: string): Attributes => ({ [SPAN.rpcSystem]: 'deja', [SPAN.rpcMethod]: `${service}/${pattern}` });

/** Of an event that is handled. */
const eventAttributes = (service: ServiceName): Attributes => ({
  [SPAN.messagingSystem]: 'redis',
  [SPAN.messagingOperation]: 'process',
  [SPAN.messagingOperationType]: 'process',
  [SPAN.messagingDestination]: eventsKey(service),
});

/** Handles a message within a span of its own, in the trace that it brought. Rejects as `handle` does. */
export async function inMessageSpan<T>(service: ServiceName, message: WireMessage, { deadlineMs, deliveries }: StreamsContext, handle: () => Promise<T>): Promise<T> {
  const parent = contextOf(message.trace ?? {});
  const isEvent = deadlineMs === null;
  const attributes = isEvent ? { ...eventAttributes(service), ...(deliveries > 1 && { 'deja.deliveries': deliveries }) } : rpcAttributes(service, message.pattern);
  const span = trace.getTracer('deja').startSpan(`${service}.${message.pattern}`, { kind: isEvent ? SpanKind.CONSUMER : SpanKind.SERVER, attributes }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), handle);
  } catch (error) {
    failed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** What the caller got wrong, and what nobody waits for any more, is no error of this service. */
function failed(span: Span, error: unknown): void {
  const type = error instanceof DejaError ? error.code : error instanceof Error ? error.name : '_OTHER';
  span.setAttribute(SPAN.errorType, type);
  const isOurs = error instanceof DejaError ? error.status >= 500 : type !== 'AbortError';
  if (isOurs) span.setStatus({ code: SpanStatusCode.ERROR, message: type });
}
