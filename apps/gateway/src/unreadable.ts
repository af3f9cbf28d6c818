import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { DejaError, errorBody, newId } from '@deja/contracts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

const STATUS_BY_CODE: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** Whoever has been told so may take as long to close the connection; nothing that comes by it is read any more. */
const LINGERING_MS = 30_000;

/** Node's own note of the answer that is being written on a connection. */
type Answering = Socket & { _httpMessage?: { headersSent: boolean; req: { complete: boolean } } | null };

const refused = new WeakSet<Socket>();

/** Whether its client was told that nothing more is read from this connection: a request that comes all the same is not to be carried out, because the client will repeat it. */
export const wasRefused = (socket: Socket): boolean => refused.has(socket);

/**
 * What was no HTTP request gets its error in the same shape as all others, then the connection is closed. Where an answer to an
 * earlier request has begun, it is only closed: nothing may stand in the middle of that. Nor is anybody told 408 while a request that has
 * come whole waits for its answer: what came too slowly stands behind it, and the client would take the 408 for its answer.
 */
export function refuseRaw(error: Error & { code?: string }, socket: Answering): void {
  const status = STATUS_BY_CODE[error.code ?? ''] ?? 400;
  const answer = socket._httpMessage ?? null;
  const isOfAnother = answer !== null && (answer.headersSent || (status === 408 && answer.req.complete));
  if (error.code === 'ECONNRESET' || !socket.writable || isOfAnother) return void socket.destroy();
  refused.add(socket);
  const message = status === 431 ? 'The request headers are too large.' : status === 408 ? 'The request did not arrive in time.' : 'This is not a readable HTTP request.';
  const body = JSON.stringify(errorBody(new DejaError('invalid_value', message)));
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${newId()}\r\n\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), LINGERING_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** A path that cannot be decoded. */
export function refuseUnreadable(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const error = new DejaError('invalid_value', 'The path of the request cannot be read.', { param: 'path' });
  void reply.status(error.status).header('x-request-id', newId()).send(errorBody(error));
}
