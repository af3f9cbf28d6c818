import { randomUUID } from 'node:crypto';
import { ADMIN_OPERATIONS, takesIdempotencyKey, type AdminOperation, type BodyInput, type OperationId, type ReplyOf } from '@deja/admin-api';
import { z } from 'zod';
import type { Connection } from './connection.ts';
import { CliFailure, EXIT } from './failure.ts';

/** What a call says. */
export interface Call<Id extends OperationId> {
  /** For the parameters in the operation's path. */
  path?: Record<string, string>;
  query?: Record<string, string | undefined>;
  /** The API says what is missing. */
  body?: Partial<BodyInput<Id>>;
  /** Only as long as it is what was read under this etag. */
  ifMatch?: string | null;
}

/** Operations whose reply is a list, and what it is a list of. */
export type ListId = { [Id in OperationId]: ReplyOf<Id> extends { data: unknown[]; has_more: boolean } ? Id : never }[OperationId];
export type RowOf<Id extends ListId> = ReplyOf<Id> extends { data: (infer Row)[] } ? Row : never;

/** A reply: `json` as it came, `value` checked against the operation's schema. */
export class Answer<T> {
  constructor(
    readonly json: unknown,
    readonly etag: string | null,
    private readonly schema: z.ZodType,
  ) {}

  get value(): T {
    const parsed = this.schema.safeParse(this.json);
    if (parsed.success) return parsed.data as T;
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    const hint = 'Does the gateway run another version? --json prints the answer as it is.';
    throw new CliFailure(EXIT.refused, `The answer is not one that this version of deja knows (at ${JSON.stringify(where)}).`, [hint]);
  }
}

/** One page of a list. */
export interface Page<Row> {
  /** As they came. */
  json: unknown[];
  rows: () => Row[];
  hasMore: boolean;
}

export interface AdminApiOptions {
  connect: () => Promise<Connection>;
  wait: (ms: number) => Promise<unknown>;
  /** Given by the user, for all POSTs of this run; else each gets one of its own. */
  idempotencyKey: () => string | undefined;
}

interface Exchange {
  url: string;
  init: RequestInit & { headers: Record<string, string> };
  operation: AdminOperation;
}

const DEADLINE_MS = 60_000;
const RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
const LARGEST_PAGE = 1000;
const WRITE_ATTEMPTS = 3;
/** How a gateway begins to say that it knows no such address; what has an address and is not there, it says otherwise. */
const NOTHING_THERE = 'There is nothing at this address.';
const OPERATIONS: ReadonlyMap<string, AdminOperation> = new Map(ADMIN_OPERATIONS.map((operation) => [operation.id, operation]));

const errorReply = z.object({ error: z.object({ message: z.string(), param: z.string().nullable(), code: z.string() }) });
const text = z.string().optional();
const thrown = z.object({ name: text, message: text, cause: z.object({ code: text, message: text }).optional() });
const listReply = z.object({ data: z.array(z.unknown()), has_more: z.boolean(), next_cursor: z.string().nullable() });

/** The admin API over HTTP. What may be repeated without harm is repeated once after a lost connection or a 503. Every failure is a CliFailure. */
export class AdminApi {
  #connection: Promise<Connection> | null = null;

  constructor(private readonly options: AdminApiOptions) {}

  async call<Id extends OperationId>(id: Id, call: Call<Id> = {}): Promise<Answer<ReplyOf<Id>>> {
    const exchange = await this.#exchange(id, call);
    const { response, text } = await this.#answer(exchange, async (received) => ({ response: received, text: await received.text() }));
    return new Answer(await this.#json(exchange, response, text), response.headers.get('etag'), exchange.operation.reply);
  }

  /** Page after page, until there is no more or `max` rows have come; null: all. */
  async *pages<Id extends ListId>(id: Id, call: Call<Id>, max: number | null): AsyncGenerator<Page<RowOf<Id>>> {
    const inPages = operationOf(id).query?.shape['cursor'] !== undefined;
    let left = max ?? Infinity;
    let cursor: string | undefined;
    do {
      const query = inPages ? { ...call.query, limit: String(Math.min(left, LARGEST_PAGE)), cursor } : { ...call.query };
      const answer = await this.call(id, { ...call, query });
      const { data, has_more: hasMore, next_cursor: next } = new Answer<z.output<typeof listReply>>(answer.json, null, listReply).value;
      const json = data.slice(0, left);
      left -= json.length;
      yield { json, rows: () => (answer.value as { data: RowOf<Id>[] }).data.slice(0, json.length), hasMore: hasMore || json.length < data.length };
      cursor = hasMore && next !== null ? next : undefined;
    } while (cursor !== undefined && left > 0);
  }

  /** What an operation streams, as bytes. */
  async *lines(id: 'exportUsage', call: Call<'exportUsage'>): AsyncGenerator<Uint8Array> {
    const exchange = await this.#exchange(id, call);
    const response = await this.#answer(exchange, (received) => Promise.resolve(received));
    if (!response.ok) await this.#json(exchange, response, await response.text());
    try {
      yield* response.body ?? [];
    } catch (error) {
      throw new CliFailure(EXIT.unreachable, `The export broke off (${new Lost(error).reason}): what was written is not all.`);
    }
  }

  /** Reads, changes, writes; from the start again when somebody else wrote in between. */
  async update<Get extends 'getKey' | 'getTenant' | 'getCredential' | 'getAlert', Patch extends 'updateKey' | 'updateTenant' | 'updateCredential' | 'updateAlert'>(
    read: Get, write: Patch, id: string, change: (current: ReplyOf<Get>) => Partial<BodyInput<Patch>>,
  ): Promise<Answer<ReplyOf<Patch>>> {
    for (let attempt = 1; ; attempt++) {
      const current = await this.call(read, { path: { id } });
      try {
        return await this.call(write, { path: { id }, body: change(current.value), ifMatch: current.etag });
      } catch (error) {
        if (!(error instanceof Refusal && error.status === 412) || attempt === WRITE_ATTEMPTS) throw error;
      }
    }
  }

  async #exchange<Id extends OperationId>(id: Id, { path = {}, query = {}, body, ifMatch = null }: Call<Id>): Promise<Exchange> {
    const operation = operationOf(id);
    this.#connection ??= this.options.connect();
    const { baseUrl, adminKey } = await this.#connection;
    const search = new URLSearchParams(Object.entries(query).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])));
    const headers: Record<string, string> = { authorization: `Bearer ${adminKey}`, accept: operation.streams === true ? '*/*' : 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (ifMatch !== null) headers['if-match'] = ifMatch;
    if (takesIdempotencyKey(operation)) headers['idempotency-key'] = this.options.idempotencyKey() ?? randomUUID();
    const url = `${baseUrl}/admin/v1/${pathOf(operation, path)}${search.size === 0 ? '' : `?${search.toString()}`}`;
    // Where an answer leads elsewhere, the key must not follow.
    return { operation, url, init: { method: operation.method, headers, redirect: 'manual', ...(body !== undefined && { body: JSON.stringify(body) }) } };
  }

  async #answer<T extends Response | { response: Response }>(exchange: Exchange, read: (response: Response) => Promise<T>): Promise<T> {
    const { operation, url, init } = exchange;
    const once = async (): Promise<T | Lost> => {
      try {
        return await read(await fetch(url, { ...init, ...(operation.streams !== true && { signal: AbortSignal.timeout(DEADLINE_MS) }) }));
      } catch (error) {
        return new Lost(error);
      }
    };
    let outcome = await once();
    const retryMs = isRepeatable(operation) ? waitBefore(outcome) : null;
    if (retryMs !== null) {
      if (outcome instanceof Response) await outcome.body?.cancel();
      await this.options.wait(retryMs);
      outcome = await once();
    }
    if (outcome instanceof Lost) throw unreachable(exchange, outcome);
    return outcome;
  }

  /** The JSON of a good reply; throws for any other. */
  async #json({ url }: Exchange, response: Response, text: string): Promise<unknown> {
    const json = jsonOf(text);
    if (response.ok && json !== undefined) return json;
    const error = errorReply.safeParse(json).data?.error;
    const origin = new URL(url).origin;
    if (error === undefined) throw new CliFailure(EXIT.unreachable, `${origin} answered ${response.status}, and not as deja does: is that a gateway's address?`);
    const about = [error.param === null ? null : `param: ${error.param}`, `code: ${error.code}`, requestId(response)].filter((part) => part !== null);
    const hints = [about.join(', ')];
    if (response.status === 401) hints.push(`The admin key was taken from ${(await this.#connection)?.keyFrom ?? ''}.`);
    if (response.status === 404 && error.message.startsWith(NOTHING_THERE)) hints.push('Is the admin API switched off there, or on a port of its own (DEJA_ADMIN, DEJA_ADMIN_PORT)? Then --url or DEJA_URL names that port.');
    throw new Refusal(response.status, error.message, hints);
  }
}

/** The API's own no. */
class Refusal extends CliFailure {
  constructor(readonly status: number, message: string, hints: readonly string[]) {
    super(EXIT.refused, message, hints);
  }
}

function operationOf(id: OperationId): AdminOperation {
  const operation = OPERATIONS.get(id);
  if (operation === undefined) throw new Error(`there is no operation ${id}`);
  return operation;
}

function pathOf({ path }: AdminOperation, values: Record<string, string>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    // An address would lose them, and lead to something else.
    if (/^\.{0,2}$/.test(value)) throw new CliFailure(EXIT.usage, `${JSON.stringify(value)} is the id of nothing.`);
    return encodeURIComponent(value);
  });
}

/** Whether doing it twice is doing it once. */
const isRepeatable = (operation: AdminOperation): boolean => operation.method === 'GET' || !operation.change || takesIdempotencyKey(operation);

/** How long to wait until it is worth another try, in milliseconds; null: it is not. */
function waitBefore(outcome: Response | { response: Response } | Lost): number | null {
  if (outcome instanceof Lost) return outcome.timedOut ? null : RETRY_MS;
  const { status, headers } = 'response' in outcome ? outcome.response : outcome;
  if (status !== 503) return null;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds * 1000, 0), LONGEST_RETRY_MS) : RETRY_MS;
}

/** A call without an answer. */
class Lost {
  /** A system's code where there is one, as `ECONNREFUSED`. */
  readonly reason: string;
  readonly timedOut: boolean;

  /** @param error as fetch throws it: what happened is its cause */
  constructor(error: unknown) {
    const { name, message, cause } = thrown.catch({}).parse(error);
    this.reason = cause?.code ?? cause?.message ?? message ?? String(error);
    this.timedOut = name === 'TimeoutError';
  }

  /** Whether nobody can have got it. */
  get neverArrived(): boolean {
    return ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'].includes(this.reason);
  }
}

function unreachable({ url, operation, init }: Exchange, lost: Lost): CliFailure {
  const key = init.headers['idempotency-key'];
  const unsure = !operation.change ? []
    : key === undefined ? ['It may have been done all the same: look before you repeat it.']
    : [`It may have been done all the same. The same command with --idempotency-key ${key} does nothing twice, and has the answer.`];
  const what = lost.timedOut ? `did not answer within ${DEADLINE_MS / 1000} s` : `cannot be reached (${lost.reason})`;
  return new CliFailure(EXIT.unreachable, `${new URL(url).origin} ${what}.`, lost.neverArrived ? ['Does the cluster run? npm start starts one here.'] : unsure);
}

function requestId(response: Response): string | null {
  const id = response.headers.get('x-request-id');
  return id === null ? null : `request: ${id}`;
}

/** undefined: it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
