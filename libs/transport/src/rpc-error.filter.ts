import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { DejaError } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { throwError, type Observable } from 'rxjs';

/**
 * Lets a handler's error reach the transport as it is: a DejaError crosses the wire with its public part. Everything else is
 * logged here, and the caller learns only that it happened. Every service registers it: `app.useGlobalFilters(new RpcErrorFilter(logger))`.
 */
export class RpcErrorFilter implements RpcExceptionFilter {
  private readonly logger: Pick<Logger, 'error'>;

  constructor(logger: Pick<Logger, 'error'>) {
    this.logger = logger;
  }

  catch(error: unknown): Observable<never> {
    if (!(error instanceof DejaError)) this.logger.error({ err: error }, 'a message handler failed');
    return throwError(() => error);
  }
}

// As a function, so that this lib stays TypeScript that Node runs as it is.
Catch()(RpcErrorFilter);
