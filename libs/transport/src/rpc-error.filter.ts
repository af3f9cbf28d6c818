import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { DejaError } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { throwError, type Observable } from 'rxjs';

/**
 * Lets a handler's error reach the transport as it is: a DejaError crosses the wire with its public part. Everything else is
 * logged here, and the caller learns only that it happened. Every service registers it: `app.useGlobalFilters(new RpcErrorFilter(logger))`.
 */
@Catch()
export class RpcErrorFilter implements RpcExceptionFilter {
  constructor(private readonly logger: Pick<Logger, 'error'>) {}

  catch(error: unknown): Observable<never> {
    if (!(error instanceof DejaError)) this.logger.error({ err: error }, 'a message handler failed');
    return throwError(() => error);
  }
}
