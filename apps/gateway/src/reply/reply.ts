import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { costNanoUsd } from '@deja/pricing';
import { DejaError, errorBody, usdText } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';
import { rateLimitHeaders } from '../limits/limit-headers.ts';
import { LimitRefusal } from '../limits/refusal.ts';
import { sseEvent } from '../dialects/sse.ts';

/** Headers every answer of the pipeline carries (docs/api.md), behind those that there are. Put in one by one: to spread objects into one another allocates several times as much. */
export function replyHeaders(operation: Operation, headers: Record<string, string> = {}): Record<string, string> {
  const { cache, cacheReason, hit, servedModel, reservation, serverTiming } = operation;
  headers['x-request-id'] = operation.id;
  if (cache) headers['x-cache'] = cache;
  if (cacheReason) headers['x-cache-reason'] = cacheReason;
  if (hit) addHit(headers, hit);
  if (servedModel) headers['x-deja-model'] = headerValue(servedModel);
  const served = hit?.meta ?? operation.servingAttempt;
  if (served) {
    headers['x-deja-provider'] = headerValue(served.provider);
    headers['x-deja-deployment'] = headerValue(served.deployment);
  }
  headers['x-deja-attempts'] = String(operation.attempts.reduce((count, { shadow }) => (shadow ? count : count + 1), 0));
  if (operation.droppedParams.length > 0 && hit === null) headers['x-deja-dropped-params'] = headerList(operation.droppedParams);
  if (serverTiming) headers['server-timing'] = serverTiming;
  return reservation ? Object.assign(headers, rateLimitHeaders(reservation.states)) : headers;
}

function addHit(headers: Record<string, string>, { meta, similarity, explanation }: NonNullable<Operation['hit']>): void {
  headers['x-cache-entry'] = meta.id;
  headers['age'] = String(Math.max(0, Math.floor((Date.now() - meta.createdAtMs) / 1000)));
  if (similarity !== null) headers['x-cache-similarity'] = similarity.toFixed(4);
  if (explanation) headers['x-cache-explanation'] = headerValue(explanation.slice(0, MAX_EXPLANATION_CHARS));
}

/** Explanations quote words of questions. */
const MAX_EXPLANATION_CHARS = 256;

/** A text as a header may carry it: what is not printable ASCII is percent-encoded UTF-8. Names of models are free text, of clients and of deja.yaml. */
const headerValue = (text: string): string => text.replace(/[^\x20-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()));

const MAX_LIST_CHARS = 512;

/** Names from a client's body in a header: whatever is no plain token is left out. */
const headerList = (names: string[]): string => names.filter((name) => /^[\w.[\]-]{1,64}$/.test(name)).join(',').slice(0, MAX_LIST_CHARS);

/** What an answer cost whose calls have ended; nothing where that is not known. */
export function costHeader(operation: Operation): Record<string, string> {
  const cost = operation.hit ? 0n : totalCost(operation);
  return cost === null ? {} : { 'x-deja-cost-usd': usdText(cost) };
}

/** Up to here a copy of the body costs less than a second piece to be written. */
const ONE_PIECE_BYTES = 16 * 1024;

/** Sends a whole reply. */
export function sendWhole(response: ServerResponse, operation: Operation, body: Buffer): void {
  operation.status = 200;
  operation.firstByteSent();
  const headers = replyHeaders(operation, { 'content-type': 'application/json', 'content-length': String(body.length) });
  response.writeHead(200, Object.assign(headers, costHeader(operation)));
  // Node writes head and text at once, head and bytes one after the other. Latin-1 is each byte as it is.
  if (body.length <= ONE_PIECE_BYTES) response.end(body.toString('latin1'), 'latin1');
  else response.end(body);
}

/** Sends the head of a stream. From here on, an error can only be an event. */
export function beginStream(response: ServerResponse, operation: Operation): void {
  operation.status = 200;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
    ...replyHeaders(operation),
  });
}

/** Writes a piece and waits while the client is slower than the provider; one that reads nothing for `idleMs` is given up. Returns at once when the client is gone. */
export async function sendPiece(response: ServerResponse, operation: Operation, text: string, idleMs: number): Promise<void> {
  operation.firstByteSent();
  if (response.write(text) || operation.abandoned) return;
  await drained(response, idleMs);
}

/** Waits until the client has read on or left; one that reads nothing for `idleMs` is given up. */
export async function drained(response: ServerResponse, idleMs: number): Promise<void> {
  const waiting = new AbortController();
  const timer = setTimeout(() => response.destroy(), idleMs);
  try {
    await Promise.race([once(response, 'drain', { signal: waiting.signal }), once(response, 'close', { signal: waiting.signal })]);
  } finally {
    clearTimeout(timer);
    waiting.abort();
  }
}

/** Sends an error in OpenAI's shape: as a reply, or as the last event of a stream that has begun. */
export function sendError(response: ServerResponse, operation: Operation, error: DejaError): void {
  const body = JSON.stringify(errorBody(error));
  if (response.headersSent) {
    response.end(sseEvent(body));
    return;
  }
  operation.status = error.status;
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...replyHeaders(operation),
    ...retryHeaders(error),
    ...(error instanceof LimitRefusal && rateLimitHeaders(error.states)),
  });
  response.end(body);
}

/** When to come back, in the three ways that OpenAI's SDKs read. */
export function retryHeaders(error: DejaError): Record<string, string> {
  if (error.status !== 429 && error.status !== 503) return {};
  return {
    'x-should-retry': String(error.retry),
    ...(error.retryAfterMs !== null && { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))), 'retry-after-ms': String(Math.ceil(error.retryAfterMs)) }),
  };
}

/** What all attempts cost together; null as soon as one of them has no known price, or went well without telling its usage: as the ledger has it. */
export function totalCost(operation: Pick<Operation, 'attempts'>): bigint | null {
  let total = 0n;
  for (const { usage, price, shadow, outcome } of operation.attempts) {
    if (shadow || (usage === null && outcome !== 'ok')) continue;
    if (usage === null) return null;
    const cost = costNanoUsd(usage, price);
    if (cost === null) return null;
    total += cost;
  }
  return total;
}
