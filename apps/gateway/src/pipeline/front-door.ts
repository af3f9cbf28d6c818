import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { context, ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import { DejaError, errorBody } from '@deja/contracts';
import { contextOf, SPAN, type Telemetry } from '@deja/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AttemptFailure, finalError } from '../attempt/failure.ts';
import { BlockedByRule } from '../guard/blocked-by-rule.ts';
import type { ClientAddresses } from '../keys/client-address.ts';
import { Operation } from '../operation/operation.ts';
import { Preparing } from '../overload/preparing.ts';
import { RefusedBody } from './body-reader.ts';
import { sendError } from '../reply/reply.ts';
import type { Settler } from '../settle/settler.ts';
import { maskedText } from '../trace/masked-attributes.ts';
import { capturesContent } from '../trace/content.ts';

/** nginx's status for a client that left before there was an answer; never on the wire. */
const CLIENT_CLOSED_REQUEST = 499;

/** Where every operation begins and ends: an id and a span at first, an answer or an error, then settlement, on every exit. */
export class FrontDoor {
  constructor(
    private readonly telemetry: Pick<Telemetry, 'tracer'>,
    private readonly settler: Settler,
    private readonly addresses: ClientAddresses,
    /** Whether spans have what was said, as far as content rules let it pass. */
    private readonly tracesContent: boolean = capturesContent(process.env),
    private readonly preparing: Preparing = new Preparing(),
  ) {}

  /** Never rejects: whatever happens in `work`, the client gets an answer or an error, and the operation is settled. */
  async serve(request: FastifyRequest, reply: FastifyReply, endpoint: string, work: (operation: Operation, response: ServerResponse) => Promise<void>): Promise<void> {
    reply.hijack();
    const { headers, method, url = '' } = request.raw;
    const span = this.telemetry.tracer.startSpan(
      `${method} /v1/${endpoint}`,
      { kind: SpanKind.SERVER, attributes: { [SPAN.httpMethod]: method ?? '', [SPAN.httpRoute]: `/v1/${endpoint}`, [SPAN.urlScheme]: request.protocol } },
      typeof headers.traceparent === 'string' ? contextOf({ traceparent: headers.traceparent, ...(typeof headers.tracestate === 'string' && { tracestate: headers.tracestate }) }) : ROOT_CONTEXT,
    );
    if (span.isRecording()) span.setAttribute(SPAN.urlPath, maskedText(url.replace(/\?.*$/s, ''))); // some take a key for an id
    const operation = new Operation(endpoint, headers, span, this.addresses.of(request.raw), this.tracesContent);
    // A form streams by as fast as its client sends it: it is not what the processor is short of.
    if (!(request.body instanceof Readable)) operation.prepared = this.preparing.begin();
    this.settler.came();
    const response = reply.raw;
    response.on('close', () => {
      if (!response.writableFinished) operation.abandon();
    });
    if (response.destroyed) operation.abandon();
    // Calls to other services and log lines belong to this operation's trace.
    await context.with(operation.traceContext, () => this.answerAndSettle(operation, response, work));
  }

  private async answerAndSettle(operation: Operation, response: ServerResponse, work: (operation: Operation, response: ServerResponse) => Promise<void>): Promise<void> {
    try {
      await work(operation, response);
    } catch (error) {
      this.fail(operation, response, error);
    } finally {
      operation.prepared();
      operation.end();
      await this.settler.settle(operation);
    }
  }

  private fail(operation: Operation, response: ServerResponse, error: unknown): void {
    if (operation.abandoned) {
      operation.outcome = 'cancelled';
      operation.status ||= CLIENT_CLOSED_REQUEST;
      response.destroy();
      return;
    }
    const known = error instanceof DejaError ? error : error instanceof AttemptFailure ? finalError([error]) : this.settler.unexpected(operation, error);
    operation.outcome = known instanceof BlockedByRule ? 'blocked' : 'error';
    if (known instanceof BlockedByRule) operation.flags.add(known.rule);
    operation.errorCode = known.code;
    operation.captured?.failed(errorBody(known));
    try {
      sendError(response, operation, known);
    } catch (defect) {
      this.settler.unexpected(operation, defect);
      response.destroy(); // nobody is left waiting for an answer that cannot be written
    }
  }
}

/** The body of a request that is read whole; throws what it was refused with, and a 400 for one in a form nobody here reads. */
export function wholeBody(request: FastifyRequest, operation: Operation): Buffer {
  if (request.body instanceof RefusedBody) {
    operation.principal = request.body.principal;
    throw request.body.error;
  }
  const encoding = request.raw.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new DejaError('invalid_value', 'Send the body without a content-encoding.', { param: 'content-encoding' });
  }
  if (request.body instanceof Readable) {
    request.body.resume();
    throw new DejaError('invalid_value', 'Send the body as application/json.', { param: 'content-type' });
  }
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}
