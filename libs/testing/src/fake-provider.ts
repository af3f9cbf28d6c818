import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { answer, type ProviderRequest, type ScriptStep, type Step } from './fake-provider-steps.ts';
import { asked, completion, completionFrames, embeddings, lastText, modelObject, type Asked, type Frame } from './fake-provider-wire.ts';

export * from './fake-provider-steps.ts';

export interface FakeProviderOptions {
  /** Steps for the first calls, in order; see `script`. */
  script?: ScriptStep[];
  /** Answers when no step is left; by default it repeats the last text of the user. */
  otherwise?: ScriptStep;
  /** Pre-rendered answer to every call: nothing is parsed, scripted or recorded. For benches. */
  fastAnswer?: Step;
  /** What GET models lists. */
  models?: string[];
  /** Port on 127.0.0.1; a free one by default. */
  port?: number;
}

const SSE = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
const POLL_MS = 10;

/** Opens a real HTTP server on the loopback that speaks OpenAI's chat completions, embeddings and models. */
export async function fakeProvider(o: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = new FakeProvider(o);
  await provider.listen(o.port ?? 0);
  return provider;
}

/** A provider that does what its script says, and remembers what it was asked. */
export class FakeProvider {
  /** Every request since the last reset, in order of arrival. */
  readonly requests: ProviderRequest[] = [];
  /** Requests being answered now, and the most there ever were at once since the last reset. */
  inFlight = 0;
  maxInFlight = 0;
  /** Connections opened so far since the last reset. */
  connections = 0;
  private readonly options: FakeProviderOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly closing = new AbortController();
  private queue: ScriptStep[];
  private queues = new Map<string, ScriptStep[]>();
  private watchers = new Set<() => void>();

  constructor(o: FakeProviderOptions = {}) {
    this.options = o;
    this.queue = [...(o.script ?? [])];
    const fast = o.fastAnswer ? preRendered(o.fastAnswer) : null;
    this.server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
      if (fast) fast(request, response);
      else void this.handle(request, response);
    });
    this.server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** The base URL to configure, ending in /v1. */
  get url(): string {
    return `${this.origin}/v1`;
  }

  /** The same without /v1, for providers whose base URL is the host. */
  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.sockets.size;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** Adds steps for the next calls, whoever makes them. Each is used once. */
  script(...steps: ScriptStep[]): void {
    this.queue.push(...steps);
  }

  /** Adds steps for the next calls that carry this credential; they go before the common ones. */
  scriptFor(credential: string, ...steps: ScriptStep[]): void {
    const queue = this.queues.get(credential) ?? [];
    queue.push(...steps);
    this.queues.set(credential, queue);
  }

  /** Replaces what answers when no step is left. */
  otherwise(step: ScriptStep): void {
    this.options.otherwise = step;
  }

  /** Forgets scripts and requests; what is being answered goes on. */
  reset(): void {
    this.queue = [];
    this.queues.clear();
    this.requests.length = 0;
    this.maxInFlight = this.inFlight;
    this.connections = 0;
  }

  /** Resolves as soon as the predicate holds; rejects after `deadlineMs`, naming what was seen. */
  waitFor(predicate: (provider: FakeProvider) => boolean, deadlineMs = 5_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearInterval(poll);
        clearTimeout(deadline);
        this.watchers.delete(check);
      };
      const check = (): void => {
        if (!predicate(this)) return;
        stop();
        resolve();
      };
      const poll = setInterval(check, POLL_MS); // for what is no event here, as a connection that closes
      const deadline = setTimeout(() => {
        stop();
        const seen = this.requests.map((r) => `${r.method} ${r.path}${r.abortedAtMs === null ? '' : ' (aborted)'}`);
        reject(new Error(`fake provider: condition not met within ${deadlineMs} ms; requests: ${seen.join(', ') || 'none'}`));
      }, deadlineMs);
      this.watchers.add(check);
      check();
    });
  }

  /** Breaks every connection and frees the port. */
  async close(): Promise<void> {
    this.closing.abort();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.inFlight += 1;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    const request = newRequest(incoming, this.requests.length + 1);
    this.requests.push(request);
    const gone = new AbortController();
    let ours = false; // this side broke the connection
    response.on('close', () => {
      this.inFlight -= 1;
      if (response.writableFinished) request.finishedAtMs = Date.now();
      else if (!ours && !this.closing.signal.aborted) request.abortedAtMs = Date.now();
      gone.abort();
      this.changed();
    });
    if (!(await readBody(incoming, request))) return; // the client left in the middle; `close` records it
    this.changed();
    try {
      const step = await this.stepFor(request);
      await play(step, request, response, AbortSignal.any([gone.signal, this.closing.signal]), this.options.models ?? ['fake-model'], () => (ours = true));
    } catch (error) {
      if (gone.signal.aborted || this.closing.signal.aborted) return; // nobody is left to be told
      // A step that throws is a mistake of the test: say so where the test will see it.
      if (!response.headersSent) return whole(response, 500, {}, { error: { message: `a step threw: ${String(error)}` } }, {});
      ours = true;
      response.destroy();
    }
  }

  private async stepFor(request: ProviderRequest): Promise<Step> {
    const own = request.credential === null ? undefined : this.queues.get(request.credential)?.shift();
    // A list of models is not a call of a model: it takes no step.
    const next = request.method === 'GET' ? {} : (own ?? this.queue.shift() ?? this.options.otherwise ?? echo);
    return typeof next === 'function' ? await next(request) : next;
  }

  private changed(): void {
    for (const check of this.watchers) check();
  }
}

const echo = (request: ProviderRequest): Step => answer(`You said: ${lastText(request.body)}`);

function newRequest(incoming: IncomingMessage, n: number): ProviderRequest {
  const { headers } = incoming;
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  const other = headers['api-key'] ?? headers['x-api-key'];
  return {
    n,
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers,
    rawBody: Buffer.alloc(0),
    body: undefined,
    credential: bearer ?? (typeof other === 'string' ? other : null),
    receivedAtMs: Date.now(),
    abortedAtMs: null,
    finishedAtMs: null,
  };
}

/** false when the client went away before the body was complete. */
async function readBody(incoming: IncomingMessage, request: ProviderRequest): Promise<boolean> {
  const parts: Buffer[] = [];
  try {
    for await (const part of incoming) parts.push(part as Buffer);
  } catch {
    return false;
  }
  request.rawBody = Buffer.concat(parts);
  try {
    request.body = JSON.parse(request.rawBody.toString('utf8'));
  } catch {
    request.body = undefined; // recorded as it came; the test looks at rawBody
  }
  return true;
}

/** Carries a step out on one response. */
async function play(step: Step, request: ProviderRequest, response: ServerResponse, signal: AbortSignal, models: string[], breaking: () => void): Promise<void> {
  const wanted = asked(request.body);
  const path = request.path.replace(/\?.*$/, '');
  const breakOff = (): void => {
    breaking();
    response.destroy();
  };
  if (step.hangAfter === 0) return; // the response stays open until someone closes it
  if (step.beforeFirstByteMs) await delay(step.beforeFirstByteMs, undefined, { signal });
  if (step.cutAfter === 0) return breakOff();
  const headers = { 'x-request-id': `req_fake_${request.n}`, ...step.headers };
  if (step.status !== undefined && step.status !== 200) return whole(response, step.status, headers, step.error ?? {}, step);
  if (path.endsWith('/chat/completions')) {
    const id = `chatcmpl-fake-${request.n}`;
    if (!wanted.stream) return whole(response, 200, headers, completion(step, wanted, id), step, breakOff);
    response.writeHead(200, { ...SSE, ...headers });
    return playFrames(step, completionFrames(step, wanted, id), response, signal, breakOff);
  }
  if (path.endsWith('/embeddings')) return whole(response, 200, headers, embeddings(step, wanted, request.body), step, breakOff);
  if (path.endsWith('/models')) return whole(response, 200, headers, { object: 'list', data: models.map(modelObject) }, step);
  const one = /\/models\/([^/]+)$/.exec(path)?.[1];
  if (one !== undefined) return whole(response, 200, headers, modelObject(decodeURIComponent(one)), step);
  whole(response, 404, headers, { error: { message: `fake provider has no ${path}`, type: 'invalid_request_error', param: null, code: null } }, step);
}

/** Writes a reply that is not a stream; a cut or hang after some chunks happens in the middle of its body. */
function whole(response: ServerResponse, status: number, headers: Record<string, string>, body: unknown, step: Step, breakOff?: () => void): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const bytes = Buffer.from(step.malformed === 'json' ? text.slice(0, text.length >> 1) : text);
  const stopsInTheMiddle = step.cutAfter !== undefined || step.hangAfter !== undefined;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  if (!stopsInTheMiddle || breakOff === undefined) return void response.end(bytes);
  response.write(bytes.subarray(0, bytes.length >> 1), () => {
    if (step.cutAfter !== undefined) breakOff();
  });
}

async function playFrames(step: Step, frames: Frame[], response: ServerResponse, signal: AbortSignal, breakOff: () => void): Promise<void> {
  let contents = 0;
  for (const frame of frames) {
    if (step.cutAfter !== undefined && contents >= step.cutAfter) return breakOff();
    if (step.hangAfter !== undefined && contents >= step.hangAfter) return;
    if (frame.content) {
      if (step.chunkDelayMs) await delay(step.chunkDelayMs, undefined, { signal });
      await step.gate?.(contents);
      contents += 1;
    }
    signal.throwIfAborted();
    // Handed to the system before anything else happens, so that a cut comes after these bytes, not instead of them.
    await new Promise<void>((resolve) => response.write(frame.text, () => resolve()));
  }
  response.end();
}

/** A handler that sends bytes rendered once: it only looks whether a stream, and its usage, were asked for. */
function preRendered(step: Step): (request: IncomingMessage, response: ServerResponse) => void {
  const base: Asked = { model: step.model ?? 'fake-model', stream: false, includeUsage: false, promptText: 'x'.repeat(40) };
  const body = Buffer.from(JSON.stringify(completion(step, base, 'chatcmpl-fake-fast')));
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const streams = [false, true].map((includeUsage) => completionFrames(step, { ...base, stream: true, includeUsage }, 'chatcmpl-fake-fast').map((frame) => Buffer.from(frame.text)));
  return (request, response) => {
    let text = '';
    request.setEncoding('latin1');
    request.on('data', (part: string) => (text += part));
    request.on('end', () => {
      if (!/"stream":\s*true/.test(text)) {
        response.writeHead(200, headers);
        return void response.end(body);
      }
      response.writeHead(200, SSE);
      for (const frame of streams[/"include_usage":\s*true/.test(text) ? 1 : 0] ?? []) response.write(frame);
      response.end();
    });
  };
}
