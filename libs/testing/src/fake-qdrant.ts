import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeCollection } from './fake-qdrant-collection.ts';
import { isObject, malformed, Refusal } from './fake-qdrant-filter.ts';

type Json = Record<string, unknown>;

/** What the server does in place of answering: break the connection, never answer, or refuse. */
export type QdrantFault = 'reset' | 'hang' | { status: number; error: string; retryAfterS?: number };

export interface QdrantRequest {
  method: string;
  /** Without what follows `?`. */
  path: string;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/**
 * A Qdrant in memory that speaks the part of its REST API (version 1.19) that an index of a cache needs: collections, aliases, payload indexes; upsert,
 * delete, query by vector, scroll, count, facet, batches of updates. Searches are exact. What it does not speak it answers with 501, or 404 for a route.
 * Checked against recorded replies of a real server.
 */
export class FakeQdrant {
  /** All requests so far. */
  readonly requests: QdrantRequest[] = [];
  /** Changes replies on their way out; for what a server should not have found. */
  rewrite: (path: string, reply: unknown) => unknown = (_, reply) => reply;
  private readonly collections = new Map<string, FakeCollection>();
  private readonly aliases = new Map<string, string>();
  private readonly faults: { fault: QdrantFault; times: number; path: RegExp }[] = [];
  private readonly keys: { full: string | null; readOnly: string | null };
  private readonly server: Server;
  private operations = 0;
  private listeningOn = 0;

  private constructor(keys: { full: string | null; readOnly: string | null }) {
    this.keys = keys;
    this.server = createServer((request, response) => void this.serve(request, response));
  }

  static async start({ apiKey = null, readOnlyApiKey = null, port = 0 }: { apiKey?: string | null; readOnlyApiKey?: string | null; port?: number } = {}): Promise<FakeQdrant> {
    const fake = new FakeQdrant({ full: apiKey, readOnly: readOnlyApiKey });
    fake.server.listen(port, '127.0.0.1');
    await once(fake.server, 'listening');
    fake.listeningOn = (fake.server.address() as AddressInfo).port;
    return fake;
  }

  /** Also when it is stopped. */
  get port(): number {
    return this.listeningOn;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The next so many requests whose path matches go wrong. */
  fail(fault: QdrantFault, { times = 1, path = /./ }: { times?: number; path?: RegExp } = {}): void {
    this.faults.push({ fault, times, path });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://qdrant');
    const text = Buffer.concat(chunks).toString();
    this.requests.push({ method: request.method ?? '', path, headers: request.headers, body: text.startsWith('{') ? attempt(() => JSON.parse(text) as unknown) : text });
    const fault = this.nextFault(path);
    if (fault === 'hang') return;
    if (fault === 'reset') return void request.socket.resetAndDestroy();
    try {
      if (fault !== null) throw Object.assign(new Refusal(fault.status, fault.error), { retryAfterS: fault.retryAfterS });
      this.authorise(request, path);
      const reply = this.rewrite(path, this.reply(request.method ?? '', path, text, searchParams.get('wait') === 'true'));
      if (typeof reply === 'string') return void response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(reply);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(path === '/' ? reply : { result: reply, status: 'ok', time: 0 }));
    } catch (error) {
      refuse(response, error);
    }
  }

  private nextFault(path: string): QdrantFault | null {
    const planned = this.faults.find((fault) => fault.times > 0 && fault.path.test(path));
    if (planned === undefined) return null;
    planned.times--;
    return planned.fault;
  }

  private authorise({ method, headers }: IncomingMessage, path: string): void {
    if (this.keys.full === null || ['/', '/readyz', '/livez', '/healthz'].includes(path)) return;
    const given = headers['api-key'] ?? headers.authorization?.replace(/^Bearer /, '');
    if (given === undefined) throw new Refusal(401, 'Must provide an API key or an Authorization bearer token', true);
    if (given === this.keys.full) return;
    if (given !== this.keys.readOnly) throw new Refusal(401, 'Invalid API key or JWT', true);
    const reads = method === 'GET' || /\/(query|scroll|count|facet|points)$/.test(path);
    if (!reads || method === 'PUT') throw new Refusal(403, 'Forbidden: Global manage access is required');
  }

  private reply(method: string, path: string, text: string, wait: boolean): unknown {
    const parts = path.split('/').slice(1).map(decodeURIComponent);
    if (method === 'GET' && parts.length === 1) return this.service(path);
    if (parts[0] === 'aliases' && method === 'GET') return { aliases: this.aliasList() };
    if (parts[0] !== 'collections') throw new Refusal(404, '', true);
    const [, name, ...rest] = parts;
    const body = (): Json => bodyOf(text);
    if (name === 'aliases' && method === 'POST') return this.updateAliases(body());
    if (name !== undefined && rest.length === 0) return this.ofCollection(method, name, body);
    switch (`${method} ${rest.join('/')}`) {
      case 'GET exists': return { exists: this.collections.has(this.target(name)) };
      case 'GET aliases': return { aliases: this.aliasList().filter(({ collection_name: of }) => of === name) };
      case 'PUT index': return this.written(wait, () => this.collection(name).createIndex(body()));
      case `DELETE index/${rest[1]}`: return this.written(wait, () => this.collection(name).deleteIndex(rest[1] ?? ''));
      case 'PUT points': return this.written(wait, () => this.collection(name).upsert(body()));
      case 'POST points': return this.collection(name).retrieve(body());
      case 'POST points/delete': return this.written(wait, () => this.collection(name).delete(body()));
      case 'POST points/payload': return this.written(wait, () => this.collection(name).setPayload(body()));
      case 'POST points/batch': return this.updates(this.collection(name), body(), wait);
      case 'POST points/query': return this.collection(name).query(body());
      case 'POST points/scroll': return this.collection(name).scroll(body());
      case 'POST points/count': return this.collection(name).count(body());
      case 'POST facet': return this.collection(name).facet(body());
      default: throw new Refusal(404, '', true);
    }
  }

  private service(path: string): unknown {
    if (path === '/') return { title: 'qdrant - vector search engine', version: '1.19.0' };
    if (path === '/collections') return { collections: [...this.collections.keys()].map((name) => ({ name })) };
    if (path === '/aliases') return { aliases: this.aliasList() };
    if (path === '/readyz') return 'all shards are ready';
    if (path === '/livez' || path === '/healthz') return 'healthz check passed';
    throw new Refusal(404, '', true);
  }

  private ofCollection(method: string, name: string, body: () => Json): unknown {
    switch (method) {
      case 'GET': return this.collection(name).info;
      case 'PATCH': return this.collection(name).patch(body());
      case 'DELETE':
        for (const [alias, collection] of this.aliases) if (collection === name) this.aliases.delete(alias);
        return this.collections.delete(name);
      case 'PUT': {
        if (this.aliases.has(name)) throw new Refusal(400, `Wrong input: Can't create collection with name ${name}. Alias with the same name already exists`);
        if (this.collections.has(name)) throw new Refusal(409, `Wrong input: Collection \`${name}\` already exists!`);
        this.collections.set(name, new FakeCollection(name, body()));
        return true;
      }
      default: throw new Refusal(404, '', true);
    }
  }

  private updateAliases({ actions }: Json): boolean {
    for (const action of Array.isArray(actions) ? (actions as Record<string, Record<string, string>>[]) : []) {
      const { create_alias: create, delete_alias: remove, rename_alias: rename } = action;
      if (remove !== undefined) this.aliases.delete(remove['alias_name'] ?? '');
      if (rename !== undefined) {
        this.aliases.set(rename['new_alias_name'] ?? '', this.target(rename['old_alias_name']));
        this.aliases.delete(rename['old_alias_name'] ?? '');
      }
      if (create === undefined) continue;
      const { collection_name: collection = '', alias_name: alias = '' } = create;
      if (!this.collections.has(collection)) throw new Refusal(404, `Not found: Collection \`${collection}\` doesn't exist!`);
      if (this.collections.has(alias)) throw new Refusal(409, `Wrong input: Collection \`${alias}\` already exists!`);
      this.aliases.set(alias, collection);
    }
    return true;
  }

  private updates(collection: FakeCollection, { operations }: Json, wait: boolean): unknown[] {
    return (Array.isArray(operations) ? operations : []).map((operation: Json) => {
      const { upsert, delete: remove, set_payload: payload } = operation;
      return this.written(wait, () => {
        if (isObject(upsert)) collection.upsert(upsert);
        else if (isObject(remove)) collection.delete(remove);
        else if (isObject(payload)) collection.setPayload(payload);
        else throw new Refusal(501, 'the fake does not know this operation');
      });
    });
  }

  private aliasList(): { alias_name: string; collection_name: string }[] {
    return [...this.aliases].map(([alias, collection]) => ({ alias_name: alias, collection_name: collection }));
  }

  private target(name = ''): string {
    return this.aliases.get(name) ?? name;
  }

  private collection(name = ''): FakeCollection {
    const collection = this.collections.get(this.target(name));
    if (collection === undefined) throw new Refusal(404, `Not found: Collection \`${name}\` doesn't exist!`);
    return collection;
  }

  /** Without `wait` the server answers before it has written, and what goes wrong then but for the form is not heard of. */
  private written(wait: boolean, write: () => void): Json {
    try {
      write();
    } catch (error) {
      if (wait || !(error instanceof Refusal) || error.status !== 404 || error.message.includes('Collection')) throw error;
    }
    return { operation_id: ++this.operations, status: wait ? 'completed' : 'acknowledged' };
  }
}

function bodyOf(text: string): Json {
  const body = attempt(() => JSON.parse(text) as unknown);
  if (!isObject(body)) throw malformed(text === '' ? 'EOF while parsing a value at line 1 column 0' : 'not a JSON object');
  return body;
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, message, plain = false, retryAfterS } = error instanceof Refusal ? (error as Refusal & { retryAfterS?: number }) : { status: 500, message: String(error) };
  if (retryAfterS !== undefined) response.setHeader('retry-after', String(retryAfterS));
  if (plain) response.writeHead(status).end(message);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ status: { error: message }, time: 0 }));
}
