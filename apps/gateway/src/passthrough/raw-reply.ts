import type { ServerResponse } from 'node:http';
import type { Usage } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import { failureOfError, readWhole } from '../attempt/upstream.ts';
import type { Operation } from '../operation/operation.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { drained, replyHeaders } from '../reply/reply.ts';
import { finishUncounted, NOTHING_USED, UNBILLED, type RawAnswer } from './raw-call.ts';

/** Headers of the provider's that describe its body and go on with it. */
const PASSED_HEADERS = ['content-type', 'content-length', 'content-disposition', 'openai-processing-ms', 'openai-version'] as const;

/** Sends an answer on as it comes, as fast as the client reads. Usage that the reply reports is counted. Rejects with an AttemptFailure when it breaks off. */
export async function relayRaw(operation: Operation, { reply, call, candidate, reported }: RawAnswer, response: ServerResponse, idleMs: number): Promise<void> {
  operation.servedModel = candidate.model;
  const captured = operation.captured?.passing(operation.endpoint, reply.contentType);
  try {
    begin(operation, reply, response);
    for await (const chunk of reply.body) {
      reported.add(chunk);
      captured?.add(chunk);
      operation.firstByteSent();
      if (!response.write(chunk) && !operation.abandoned) await drained(response, idleMs);
      if (operation.abandoned) throw new AttemptFailure('cancelled');
    }
    count(call, reported.usage);
    call.finish(null);
    response.end();
  } catch (error) {
    const failure = operation.abandoned ? new AttemptFailure('cancelled') : failureOfError(error, call.signal);
    if (call.record.usage === null) count(call, reported.usageSoFar);
    finishUncounted(call, failure);
    // A body that breaks off must not look complete.
    if (response.headersSent && !isEventStream(reply.contentType)) response.destroy();
    throw failure;
  } finally {
    captured?.ended();
  }
}

const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** Reads a small JSON answer whole, so that what it tells (an id, a list) can be acted upon before the client sees it. */
export function readJson(answer: RawAnswer): Promise<{ bytes: Buffer; json: Record<string, unknown> }> {
  return readAnswer(answer, (bytes) => {
    const json: unknown = bytes.length > MAX_JSON_BYTES ? null : parsedReply(bytes);
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new AttemptFailure('malformed');
    return { bytes, json: json as Record<string, unknown> };
  });
}

/** Reads an answer whole, and what `of` makes of it. Usage that it reports is counted, also where `of` throws. */
export async function readAnswer<T>({ reply, call, reported }: RawAnswer, of: (bytes: Buffer) => T): Promise<T> {
  try {
    const bytes = await readWhole(reply.body);
    reported.add(bytes);
    count(call, reported.usage);
    const value = of(bytes);
    call.finish(null);
    return value;
  } catch (error) {
    const failure = failureOfError(error, call.signal);
    finishUncounted(call, failure);
    throw failure;
  }
}

/** Sends a JSON answer that was read, or put together, here. */
export function sendJson(operation: Operation, response: ServerResponse, status: number, body: Buffer): void {
  operation.status = status;
  operation.firstByteSent();
  operation.captured?.replied(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...replyHeaders(operation) });
  response.end(body);
}

/** Sends an answer that was read whole, its body as it may be sent. */
export function sendTreated(operation: Operation, reply: RawAnswer['reply'], body: Buffer, response: ServerResponse): void {
  const captured = operation.captured?.passing(operation.endpoint, reply.contentType);
  captured?.add(body);
  captured?.ended();
  begin(operation, { ...reply, headers: { ...reply.headers, 'content-length': String(body.length) } }, response);
  operation.firstByteSent();
  response.end(body);
}

/** Node refuses to send some of what it has read in a header; a reply that is paid for is not lost over it. */
const PRINTABLE = /^[\x20-\x7e]*$/;

function begin(operation: Operation, reply: RawAnswer['reply'], response: ServerResponse): void {
  // What a provider sends is not to be taken for a page of this host.
  const headers: Record<string, string> = { 'x-content-type-options': 'nosniff' };
  for (const name of PASSED_HEADERS) {
    const value = reply.headers?.[name];
    if (typeof value === 'string' && PRINTABLE.test(value)) headers[name] = value;
  }
  if (isEventStream(reply.contentType)) Object.assign(headers, { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  operation.status = reply.status;
  response.writeHead(reply.status, { ...headers, ...replyHeaders(operation) });
}

/** What a call that is not billed used is nothing; what a billed one used is what it says, and unknown when it does not. */
function count({ record }: RawAnswer['call'], usage: Usage | null): void {
  if (record.price?.version === UNBILLED.version) {
    record.usage = NOTHING_USED;
    return;
  }
  record.usage = usage;
  if (usage !== null) record.usageSource = 'upstream';
}

const isEventStream = (contentType: string): boolean => contentType.startsWith('text/event-stream');
