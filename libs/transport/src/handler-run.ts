import type { MessageHandler } from '@nestjs/microservices';
import type { ServiceName } from '@deja/contracts';
import { isObservable, lastValueFrom } from 'rxjs';
import { inMessageSpan } from './message-span.ts';
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
  return inMessageSpan(service, message, context, async () => {
    const handler = handlers.get(message.pattern);
    if (!handler) throw new UnknownPattern(message.pattern);
    const result: unknown = await handler(message.data, context);
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
  });
}
