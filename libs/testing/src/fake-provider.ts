import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Call } from './fake-call.ts';
import { defaultAnswer, refusedByDefault } from './fake-default-answer.ts';
import { modelInPath, replyTo, takesStep } from './fake-endpoints.ts';
import { readForm, type Form } from './fake-form.ts';
import { play, preRendered, whole } from './fake-play.ts';
import { status, type ProviderRequest, type ScriptStep, type Step } from './fake-provider-steps.ts';
import { asked } from './fake-provider-wire.ts';
import { FakeQuota, quotaExceeded, wantedTokens, type FakeQuotaRule } from './fake-quota.ts';
import { FakeStore } from './fake-store.ts';

export * from './fake-provider-steps.ts';
export * from './fake-quota.ts';

export interface FakeProviderOptions {
  /** Steps for the first calls, in order; see `script`. */
  script?: ScriptStep[];
  /** Answers when no step is left; by default it repeats the last text of the user, see `defaultAnswer`. */
  otherwise?: ScriptStep;
  /** Pre-rendered answer to every call: nothing is parsed, scripted or recorded. For benches. */
  fastAnswer?: Step;
  /** Quotas by credential, enforced with 429s before any step is taken; `now` is their clock, Unix ms. */
  quotas?: { rules: Record<string, FakeQuotaRule>; now?: () => number };
  /** What GET models lists. */
  models?: string[];
  /** Port on 127.0.0.1; a free one by default. */
  port?: number;
}

const POLL_MS = 10;

/**
 * Opens a real HTTP server on the loopback that speaks OpenAI's API (also on Azure's paths), and the chat endpoints of Anthropic and Gemini.
 * Stored responses, files and batches belong to the credential that made them.
 */
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
  /** Counts what each credential's quota admitted and refused. */
  readonly quota: FakeQuota;
  private readonly options: FakeProviderOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly closing = new AbortController();
  private queue: ScriptStep[];
  private queues = new Map<string, ScriptStep[]>();
  private pathQueues: { path: RegExp; steps: ScriptStep[] }[] = [];
  private readonly stores = new Map<string | null, FakeStore>();
  private made = 0;
  private watchers = new Set<() => void>();

  constructor(o: FakeProviderOptions = {}) {
    this.options = o;
    this.quota = new FakeQuota(o.quotas?.rules ?? {}, o.quotas?.now);
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

  /** Adds steps for the next calls whose method and path, such as `GET /v1/files/abc`, match; they go before all others. */
  scriptPath(path: RegExp, ...steps: ScriptStep[]): void {
    this.pathQueues.push({ path, steps });
  }

  /** Replaces what answers when no step is left. */
  otherwise(step: ScriptStep): void {
    this.options.otherwise = step;
  }

  /** Forgets scripts and requests; what is being answered goes on, and what was stored stays. */
  reset(): void {
    this.queue = [];
    this.queues.clear();
    this.pathQueues = [];
    this.requests.length = 0;
    this.maxInFlight = this.inFlight;
    this.connections = 0;
  }

  /** Resolves as soon as the predicate holds; rejects after `deadlineMs`, naming what was seen. */
  waitFor(predicate: (provider: FakeProvider) => boolean, deadlineMs = 20_000): Promise<void> {
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
    const form = await readBody(incoming, request);
    if (form === 'left') return; // the client left in the middle; `close` records it
    this.changed();
    const signal = AbortSignal.any([gone.signal, this.closing.signal]);
    const stage = { request, response, signal, breaking: () => (ours = true) };
    try {
      const step = await this.stepFor(request);
      await play(step, () => replyTo(this.callOf(request, step, form?.contents ?? new Map<string, Buffer>()), request.method, pathOf(request)), stage);
    } catch (error) {
      if (signal.aborted) return; // nobody is left to be told
      // A step that throws is a mistake of the test: say so where the test will see it.
      if (!response.headersSent) return whole(stage, 500, {}, { error: { message: `a step threw: ${String(error)}` } }, {});
      ours = true;
      response.destroy();
    }
  }

  private async stepFor(request: ProviderRequest): Promise<Step> {
    const { credential } = request;
    const limited = credential !== null && takesStep(request.method, pathOf(request));
    const quota = limited ? this.quota.admit(credential, wantedTokens(request.body)) : null;
    if (quota?.admitted === false) return status(429, quota.headers, quotaExceeded);
    const step = await this.scriptedStep(request);
    return quota === null ? step : { ...step, headers: { ...quota.headers, ...step.headers } };
  }

  private async scriptedStep(request: ProviderRequest): Promise<Step> {
    const signature = `${request.method} ${request.path}`;
    const scripted = this.pathQueues.find(({ path, steps }) => steps.length > 0 && path.test(signature))?.steps.shift();
    const own = (): ScriptStep | undefined => (request.credential === null ? undefined : this.queues.get(request.credential)?.shift());
    // A list of models is not a call of a model: it takes no step.
    const next = scripted ?? (takesStep(request.method, pathOf(request)) ? (own() ?? this.queue.shift() ?? this.options.otherwise ?? defaultAnswer) : (refusedByDefault(request) ?? {}));
    return typeof next === 'function' ? await next(request) : next;
  }

  private callOf(request: ProviderRequest, step: Step, fileContents: Call['fileContents']): Call {
    const ask: Call['ask'] = (path, body) => {
      const line = { ...request, method: 'POST', path, body };
      return replyTo(this.callOf(line, defaultAnswer(line), fileContents), line.method, path);
    };
    const call = { request, step, query: queryOf(request), models: this.options.models ?? ['fake-model'], store: this.storeOf(request.credential), fileContents, ask };
    return { ...call, asked: asked(request.body, modelInPath(pathOf(request))) };
  }

  private storeOf(credential: string | null): FakeStore {
    const found = this.stores.get(credential) ?? new FakeStore((prefix) => `${prefix}${(this.server.address() as AddressInfo).port}x${++this.made}`);
    this.stores.set(credential, found);
    return found;
  }

  private changed(): void {
    for (const check of this.watchers) check();
  }
}

const pathOf = (request: ProviderRequest): string => request.path.replace(/\?.*$/, '');
const queryOf = (request: ProviderRequest): URLSearchParams => new URLSearchParams(/\?(.*)$/.exec(request.path)?.[1] ?? '');

function newRequest(incoming: IncomingMessage, n: number): ProviderRequest {
  const { headers } = incoming;
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  const path = incoming.url ?? '';
  const other = headers['api-key'] ?? headers['x-api-key'] ?? headers['x-goog-api-key'] ?? /[?&]key=([^&]+)/.exec(path)?.[1];
  return {
    n,
    method: incoming.method ?? '',
    path,
    headers,
    rawBody: Buffer.alloc(0),
    body: undefined,
    form: undefined,
    credential: bearer ?? (typeof other === 'string' ? other : null),
    receivedAtMs: Date.now(),
    abortedAtMs: null,
    finishedAtMs: null,
    sentBytes: 0,
  };
}

/** The body's form, if it is one; `left` when the client went away before the body was complete. */
async function readBody(incoming: IncomingMessage, request: ProviderRequest): Promise<Form | undefined | 'left'> {
  const parts: Buffer[] = [];
  try {
    for await (const part of incoming) parts.push(part as Buffer);
  } catch {
    return 'left';
  }
  request.rawBody = Buffer.concat(parts);
  const form = await readForm(request.rawBody, incoming.headers['content-type']);
  if (form !== undefined) {
    request.form = form.fields;
    return form;
  }
  try {
    request.body = JSON.parse(request.rawBody.toString('utf8'));
  } catch {
    request.body = undefined; // recorded as it came; the test looks at rawBody
  }
  return undefined;
}
