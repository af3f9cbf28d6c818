import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN_OPERATIONS, takesIdempotencyKey, takesIfMatch, type AdminOperation, type OperationId, type ReplyOf } from '@deja/admin-api';
import { ERRORS, type ErrorCode } from '@deja/contracts';

/** One call as it came. */
export interface Seen {
  id: OperationId;
  path: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
  headers: IncomingMessage['headers'];
}
export type Reply<T> =
  | { json: T; etag?: string }
  | { error: ErrorCode; message: string; param?: string; headers?: Record<string, string> }
  | { lines: string[]; breaksOff?: true }
  | { raw: string | Uint8Array; status: number; headers?: Record<string, string> }
  | 'hang up';
export type Script = { [Id in OperationId]?: (call: Seen) => Reply<ReplyOf<Id>> };

export const ADMIN_KEY = 'deja-admin-for-tests';

/**
 * A real server that plays the admin API: what it is sent must be as the operations' schemas have it, and so must what a test has it answer. It breaks off
 * connections, too, which the real one never does when asked.
 */
export class ScriptedAdminApi {
  readonly seen: Seen[] = [];
  readonly #mistakes: string[] = [];
  script: Script = {};
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response).catch((error: unknown) => {
      this.#mistakes.push(String(error));
      response.destroy();
    }));
  }

  static async start(): Promise<ScriptedAdminApi> {
    const api = new ScriptedAdminApi();
    await new Promise<void>((listening) => api.#server.listen(0, '127.0.0.1', listening));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Throws what was not as the schemas have it. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
    if (this.#mistakes.length > 0) throw new Error(this.#mistakes.join('\n'));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? '', this.url);
    const found = operationAt(request.method ?? '', url.pathname);
    if (found === null) return send(response, { error: 'not_found', message: 'There is nothing at this address.' });
    if (request.headers.authorization !== `Bearer ${ADMIN_KEY}`) return send(response, { error: 'invalid_api_key', message: 'Incorrect admin key provided.' });
    const { operation, path } = found;
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const query = Object.fromEntries(url.searchParams);
    this.#check(operation, query, body, request.headers);
    const call = { id: operation.id as OperationId, path, query, body, headers: request.headers };
    this.seen.push(call);
    const play = this.script[call.id] as ((call: Seen) => Reply<unknown>) | undefined;
    if (play === undefined) throw new Error(`no script for ${operation.id}`);
    const reply = play(call);
    if (reply !== 'hang up' && 'json' in reply) operation.reply.parse(reply.json);
    return send(response, reply, operation.status);
  }

  #check(operation: AdminOperation, query: Record<string, string>, body: unknown, headers: IncomingMessage['headers']): void {
    if (operation.query === null ? Object.keys(query).length > 0 : !operation.query.safeParse(query).success) this.#mistakes.push(`${operation.id}: query ${JSON.stringify(query)}`);
    if (operation.body === null ? body !== undefined : !operation.body.safeParse(body).success) this.#mistakes.push(`${operation.id}: body ${JSON.stringify(body)}`);
    if (takesIdempotencyKey(operation) !== (headers['idempotency-key'] !== undefined)) this.#mistakes.push(`${operation.id}: idempotency key`);
    if (headers['if-match'] !== undefined && !takesIfMatch(operation)) this.#mistakes.push(`${operation.id}: If-Match`);
  }
}

function operationAt(method: string, pathname: string): { operation: AdminOperation; path: Record<string, string> } | null {
  const rest = pathname.replace(/^\/admin\/v1\//, '');
  if (rest === pathname) return null;
  const candidates = (ADMIN_OPERATIONS as readonly AdminOperation[]).filter((operation) => operation.method === method).toSorted((a, b) => b.path.replace('{id}', '').length - a.path.replace('{id}', '').length);
  for (const operation of candidates) {
    const match = new RegExp(`^${operation.path.replaceAll('{id}', '(?<id>[^/]+)')}$`).exec(rest);
    if (match !== null) return { operation, path: Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])) };
  }
  return null;
}

function send(response: ServerResponse, reply: Reply<unknown>, status = 200): void {
  if (reply === 'hang up') return void response.destroy();
  if ('error' in reply) {
    const { status: code, type } = ERRORS[reply.error];
    response.writeHead(code, { 'content-type': 'application/json', 'x-request-id': 'r-1', ...reply.headers });
    return void response.end(JSON.stringify({ error: { message: reply.message, type, param: reply.param ?? null, code: reply.error } }));
  }
  if ('raw' in reply) return void response.writeHead(reply.status, reply.headers).end(reply.raw);
  if ('lines' in reply) {
    response.writeHead(200, { 'content-type': 'application/jsonl' });
    const text = reply.lines.map((line) => `${line}\n`).join('');
    return void (reply.breaksOff === true ? response.write(text, () => response.destroy()) : response.end(text));
  }
  response.writeHead(status, { 'content-type': 'application/json', ...(reply.etag !== undefined && { etag: reply.etag }) });
  response.end(JSON.stringify(reply.json));
}
