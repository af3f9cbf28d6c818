import type { ServerResponse } from 'node:http';
import type { Usage } from '@deja/contracts';
import { AttemptFailure } from '../attempt/failure.ts';
import { failureOfError, readWhole } from '../attempt/upstream.ts';
import type { Operation } from '../operation/operation.ts';
import { parsedReply } from '../reply/parsed-reply.ts';
import { costHeader, drained, replyHeaders } from '../reply/reply.ts';
import { finishUncounted, NOTHING_USED, UNBILLED, type RawAnswer } from './raw-call.ts';

/** Headers of the provider's that describe its body and go on with it. */
const PASSED_HEADERS = ['content-type', 'content-length', 'content-disposition', 'openai-processing-ms', 'openai-version'] as const;

/** Sends an answer on as it comes, as fast as the client reads. Usage that the reply reports is counted. Rejects with an AttemptFailure when it breaks off. */
export async function relayRaw(operation: Operation, { reply, call, candidate, reported }: RawAnswer, response: ServerResponse, idleMs: number): Promise<void> {
  operation.servedModel = candidate.model;
  const captured = operation.captured?.passing(operation.endpoint, reply.contentType);
  const sending = new RawSending(operation, reply, response, { idleMs, tellsCost: isBilled(call) && call.record.price !== null && isJson(reply.contentType) });
  try {
    sending.begin();
    for await (const chunk of reply.body) {
      reported.add(chunk);
      captured?.add(chunk);
      await sending.send(chunk);
      if (operation.abandoned) throw new AttemptFailure('cancelled');
    }
    count(call, reported.usage);
    call.finish(null);
    sending.end();
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

/** So much of a JSON reply waits for its end, where its usage stands, so that its head can tell what it cost. */
const MOST_HELD_BYTES = 1024 * 1024;

/** A reply on its way to the client: piece by piece; or, where its head is to tell the cost, at its end, unless it is too long to wait for that. */
class RawSending {
  private readonly operation: Operation;
  private readonly reply: RawAnswer['reply'];
  private readonly response: ServerResponse;
  private readonly idleMs: number;
  private held: Uint8Array[] | null;
  private heldBytes = 0;

  constructor(operation: Operation, reply: RawAnswer['reply'], response: ServerResponse, { idleMs, tellsCost }: { idleMs: number; tellsCost: boolean }) {
    this.operation = operation;
    this.reply = reply;
    this.response = response;
    this.idleMs = idleMs;
    this.held = tellsCost ? [] : null;
  }

  /** Sends the head, unless that waits. */
  begin(): void {
    if (this.held === null) begin(this.operation, this.reply, this.response);
  }

  /** Waits while the client is slower than the provider. */
  async send(chunk: Uint8Array): Promise<void> {
    if (this.held === null) return this.write(chunk);
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    if (this.heldBytes > MOST_HELD_BYTES) await this.write(this.released({}));
  }

  /** Once the call is closed. */
  end(): void {
    if (this.held === null) this.response.end();
    else {
      const body = this.released(costHeader(this.operation));
      this.operation.firstByteSent();
      this.response.end(body);
    }
  }

  private released(more: Record<string, string>): Buffer {
    const body = Buffer.concat(this.held ?? []);
    this.held = null;
    begin(this.operation, this.reply, this.response, more);
    return body;
  }

  private async write(chunk: Uint8Array): Promise<void> {
    this.operation.firstByteSent();
    if (!this.response.write(chunk) && !this.operation.abandoned) await drained(this.response, this.idleMs);
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
  begin(operation, { ...reply, headers: { ...reply.headers, 'content-length': String(body.length) } }, response, costHeader(operation));
  operation.firstByteSent();
  response.end(body);
}

/** Node refuses to send some of what it has read in a header; a reply that is paid for is not lost over it. */
const PRINTABLE = /^[\x20-\x7e]*$/;

function begin(operation: Operation, reply: RawAnswer['reply'], response: ServerResponse, more: Record<string, string> = {}): void {
  // What a provider sends is not to be taken for a page of this host.
  const headers: Record<string, string> = { 'x-content-type-options': 'nosniff' };
  for (const name of PASSED_HEADERS) {
    const value = reply.headers?.[name];
    if (typeof value === 'string' && PRINTABLE.test(value)) headers[name] = value;
  }
  if (isEventStream(reply.contentType)) Object.assign(headers, { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  operation.status = reply.status;
  response.writeHead(reply.status, { ...headers, ...replyHeaders(operation), ...more });
}

/** What a call that is not billed used is nothing; what a billed one used is what it says, and unknown when it does not. */
function count({ record }: RawAnswer['call'], usage: Usage | null): void {
  if (!isBilled({ record })) {
    record.usage = NOTHING_USED;
    return;
  }
  record.usage = usage;
  if (usage !== null) record.usageSource = 'upstream';
}

const isBilled = ({ record }: Pick<RawAnswer['call'], 'record'>): boolean => record.price?.version !== UNBILLED.version;
const isJson = (contentType: string): boolean => /^[^;]*\bjson\b/i.test(contentType);
const isEventStream = (contentType: string): boolean => contentType.startsWith('text/event-stream');
