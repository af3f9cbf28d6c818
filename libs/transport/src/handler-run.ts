import { context as active, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { MessageHandler } from '@nestjs/microservices';
import type { ServiceName } from '@deja/contracts';
import { contextOf } from '@deja/telemetry';
import { isObservable, lastValueFrom } from 'rxjs';
import type { WireMessage } from './protocol.ts';
import type { StreamsContext } from './streams-context.ts';

/** No handler for this pattern in this replica. */
export class UnknownPattern extends Error {
  constructor(pattern: string) {
    super(`no handler for ${pattern}`);
    this.name = 'UnknownPattern';
  }
}

/** Where messages find their handler. */
export type Handlers = ReadonlyMap<string, MessageHandler<unknown, StreamsContext>>;

/** Runs a message's handler inside the trace that the message brought, and resolves to what it gave: of an observable the last value. */
export async function runHandler(handlers: Handlers, service: ServiceName, message: WireMessage, context: StreamsContext): Promise<unknown> {
  const parent = contextOf(message.trace ?? {});
  const span = trace.getTracer('deja').startSpan(
    `${service}.${message.pattern}`,
    {
      kind: context.deadlineMs === null ? SpanKind.CONSUMER : SpanKind.SERVER,
      attributes: { 'rpc.system': 'deja', 'rpc.service': service, 'rpc.method': message.pattern },
    },
    parent,
  );
  try {
    return await active.with(trace.setSpan(parent, span), async () => {
      const handler = handlers.get(message.pattern);
      if (!handler) throw new UnknownPattern(message.pattern);
      const result: unknown = await handler(message.data, context);
      return isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
    });
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'error' });
    throw error;
  } finally {
    span.end();
  }
}
