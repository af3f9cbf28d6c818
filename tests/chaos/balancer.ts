import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { types } from 'node:util';
import type { TestCluster } from '@deja/testing';
import type { Asker, NotTaken, Try } from './evidence.ts';

const LOOK_MS = 250;
/** Who has not said by then that it is ready gets nothing new. */
const ANSWER_MS = 1500;
/** Of a stream, what its end is told by. */
const TAIL_CHARS = 64;
const DONE = 'data: [DONE]';

/** Who asks what, for the log of tries. */
export interface Asked {
  mark: string;
  asker: Asker;
  tenant: string;
  question: string;
  stream: boolean;
}

/**
 * A load balancer in front of the gateways, as the `fetch` of an SDK: requests go to ready gateways in turn, to any where none says it is ready. What a gateway did
 * not take goes to another one; what was begun is never begun again here. Each request is written down, and named in its tags.
 */
export class Balancer {
  readonly tries: Try[] = [];
  /** When a gateway that said it was ready took no connection. */
  readonly notTaken: NotTaken[] = [];
  private readonly cluster: TestCluster;
  private readonly ready = new Set<number>();
  private readonly stopped = new AbortController();
  private looking: Promise<unknown> = Promise.resolve();
  private turn = 0;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  async start(): Promise<void> {
    const gateways = this.cluster.urls.map((_, n) => n);
    await Promise.all(gateways.map((n) => this.look(n)));
    this.looking = Promise.all(gateways.map((n) => this.keepLooking(n)));
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.looking;
  }

  isReady(gateway: number): boolean {
    return this.ready.has(gateway);
  }

  /** The `fetch` of one call. */
  fetchFor(asked: Asked): typeof fetch {
    let t = 0;
    return async (input, init = {}) => {
      const request = newTry(asked, t++);
      this.tries.push(request);
      try {
        const response = await this.begun(input, { ...init, headers: tagged(init.headers, request) }, request);
        return await this.watched(response, init.signal ?? null, request);
      } catch (error) {
        request.endMs = Date.now();
        request.ended = init.signal?.aborted === true ? 'left' : 'broken';
        request.why = reasonOf(error);
        throw error;
      }
    };
  }

  /** By a gateway that takes it. */
  private async begun(input: Parameters<typeof fetch>[0], init: RequestInit, request: Try): Promise<Response> {
    const { pathname, search } = new URL(input instanceof Request ? input.url : input);
    const order = this.inOrder();
    await turn(); // where this process stood still, that a kept connection was closed is read first
    for (const [i, gateway] of order.entries()) {
      request.gateway = gateway;
      try {
        return await fetch(`${this.cluster.urls[gateway]}${pathname}${search}`, init);
      } catch (error) {
        if (wasNotTaken(error) && this.ready.has(gateway)) this.notTaken.push({ gateway, atMs: Date.now() });
        if (!wasNotTaken(error) || i === order.length - 1) throw error;
      }
    }
    throw new Error('there is no gateway');
  }

  private inOrder(): number[] {
    const all = this.cluster.urls.map((_, n) => n);
    const first = this.turn++ % all.length;
    const turned = [...all.slice(first), ...all.slice(0, first)];
    return [...turned.filter((n) => this.ready.has(n)), ...turned.filter((n) => !this.ready.has(n))];
  }

  /** The same answer, whose end is written down. */
  private async watched(response: Response, signal: AbortSignal | null, request: Try): Promise<Response> {
    const { headers, status } = response;
    Object.assign(request, { status, requestId: headers.get('x-request-id'), cache: headers.get('x-cache'), provider: headers.get('x-deja-provider') });
    if (status >= 400 || !request.stream) {
      const text = await response.text();
      if (status >= 400) Object.assign(request, refusalIn(text));
      this.ends(request, 'whole');
      return new Response(text, { status, headers: plain(headers) });
    }
    const decoder = new TextDecoder();
    let tail = '';
    const seen = new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, out) => {
        tail = (tail + decoder.decode(piece, { stream: true })).slice(-TAIL_CHARS);
        request.isComplete = tail.includes(DONE);
        out.enqueue(piece);
      },
      flush: () => this.ends(request, 'whole'),
    });
    const read = response.body?.pipeTo(seen.writable, { ...(signal !== null && { signal }) });
    void read?.catch((error: unknown) => {
      // Who has read [DONE] reads no further.
      this.ends(request, request.isComplete ? 'whole' : signal?.aborted === true ? 'left' : 'broken');
      if (request.ended !== 'whole') request.why = reasonOf(error);
    });
    return new Response(seen.readable, { status, headers: plain(headers) });
  }

  private ends(request: Try, how: Try['ended']): void {
    request.endMs = Date.now();
    request.ended = how;
  }

  private async keepLooking(gateway: number): Promise<void> {
    while (!this.stopped.signal.aborted) {
      await delay(LOOK_MS, undefined, { signal: this.stopped.signal }).catch(() => undefined);
      await this.look(gateway);
    }
  }

  private async look(gateway: number): Promise<void> {
    const signal = AbortSignal.any([this.stopped.signal, AbortSignal.timeout(ANSWER_MS)]);
    const isReady = await fetch(`${this.cluster.opsUrl('gateway', gateway + 1)}/readyz`, { signal }).then(async (reply) => (await reply.text(), reply.ok), () => false);
    if (isReady) this.ready.add(gateway);
    else this.ready.delete(gateway);
  }
}

function newTry(asked: Asked, t: number): Try {
  const nothing = { status: null, requestId: null, cache: null, provider: null, errorCode: null, text: null, why: null };
  return { ...asked, ...nothing, t, gateway: 0, startMs: Date.now(), endMs: Date.now(), ended: 'broken', isComplete: false };
}

function tagged(given: RequestInit['headers'], { mark, t, question }: Try): Headers {
  const headers = new Headers(given);
  headers.set('x-deja-tags', `m=${mark},t=${t},q=${question}`);
  return headers;
}

/** The body was decoded already. */
function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) copy.delete(name);
  return copy;
}

function refusalIn(text: string): { errorCode: string | null; why: string | null } {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: string | null; message?: string } };
    return { errorCode: error?.code ?? null, why: error?.message ?? null };
  } catch {
    return { errorCode: null, why: text }; // it broke off, or is no answer of deja's
  }
}

/** Whether nobody listened: as long as a look has not found out that a gateway stops, this is how the balancer learns of it, and goes to another one. */
export const wasNotTaken = (error: unknown): boolean => reasonOf(error).includes('ECONNREFUSED');

/** All that is known of an error: what `fetch` throws hides the reason in its cause. */
export function reasonOf(error: unknown): string {
  const parts: string[] = [];
  // In a test the errors of Node are no instances of the test's own Error.
  for (let at: unknown = error; types.isNativeError(at) && parts.length < 4; at = at.cause) {
    const { code, errors = [] } = at as NodeJS.ErrnoException & { errors?: unknown[] };
    parts.push(at.message === '' ? at.name : at.message, ...(code === undefined ? [] : [code]), ...errors.map(reasonOf));
  }
  return parts.length === 0 ? String(error) : parts.join(': ');
}
