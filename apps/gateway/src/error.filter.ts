import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { DejaError, errorBody, newId } from '@deja/contracts';
import type { FastifyReply } from 'fastify';
import { retryHeaders } from './reply/reply.ts';
import { Runtime } from './runtime.ts';

/** The one place where an error outside the pipeline takes its wire shape: unknown routes, oversized or broken bodies, defects. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly runtime: Runtime) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (reply.sent || reply.raw.headersSent) return;
    const error = this.publicError(exception);
    void reply.status(error.status).headers({ 'x-request-id': reply.getHeader('x-request-id') ?? newId(), ...retryHeaders(error) }).send(errorBody(error));
  }

  private publicError(exception: unknown): DejaError {
    if (exception instanceof DejaError) return exception;
    const status = statusOf(exception);
    if (status === 404 || status === 405) return new DejaError('not_found', 'There is nothing at this address. The API is under /v1.');
    if (status === 413) return new DejaError('request_too_large', 'The request body is larger than this gateway accepts.');
    if (status === 415) return new DejaError('invalid_value', 'Send the body as application/json.', { param: 'content-type' });
    // A client that left while its body was read: nobody hears of it, and nothing is wrong here.
    if ((exception as { code?: unknown } | null)?.code === 'ECONNRESET') return new DejaError('invalid_value', 'The request did not arrive whole.', { cause: exception });
    if (status !== null && status < 500) return new DejaError('invalid_value', 'The request could not be read.', { cause: exception });
    this.runtime.logger.error({ err: exception }, 'a request failed outside the pipeline');
    return new DejaError('internal_error', 'The gateway failed to handle this request.', { cause: exception });
  }
}

function statusOf(exception: unknown): number | null {
  if (exception instanceof HttpException) return exception.getStatus();
  const status = typeof exception === 'object' && exception !== null ? (exception as { statusCode?: unknown }).statusCode : undefined;
  return typeof status === 'number' ? status : null;
}
