import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerRefused } from '../overload/refusal-answer.ts';
import { refuseRaw } from '../unreadable.ts';

/** Connections that are being refused at once. Further ones wait: the process that refuses is the one that gives the others away. */
const MOST = 1024;
/** For so long the body of a request that is refused may take, ms: who is answered before it is all there may lose the answer with the connection. */
const BODY_MS = 1000;
/** So long after it began everything is over, whatever the client does, ms. */
const DEADLINE_MS = 5000;

/** Refuses, in the primary process, the requests of connections that no worker takes: 503 `overloaded` with `retry-after`, and the connection is closed. */
export class Untaken {
  /** Requests that were refused. */
  refused = 0;
  private readonly open = new Set<Socket>();
  private readonly answered = new WeakSet<Socket>();
  private idle: PromiseWithResolvers<void> | null = null;
  // What is no request, or an odd one, is answered as a worker would (http-app.ts).
  private readonly server = createServer({ requireHostHeader: false }, (request, response) => this.answerAfterBody(request, response));

  constructor() {
    for (const event of ['checkContinue', 'checkExpectation']) this.server.on(event, (_request: IncomingMessage, response: ServerResponse) => this.answer(response)); // its body does not come
    this.server.on('clientError', (error: Error, socket) => refuseRaw(error, socket as Socket));
    this.server.on('connect', (_request, socket) => refuseRaw(new Error('deja is no proxy'), socket as Socket));
  }

  /** Takes a connection of which nothing has been read; false where it has no room for one more. */
  refuse(socket: Socket): boolean {
    if (this.open.size >= MOST) return false;
    this.open.add(socket);
    const end = setTimeout(() => socket.destroy(), DEADLINE_MS);
    socket.once('close', () => {
      clearTimeout(end);
      this.open.delete(socket);
      if (this.open.size === 0) this.idle?.resolve();
    });
    socket.allowHalfOpen = true; // as a server's own connections are
    this.server.emit('connection', socket);
    socket.resume();
    return true;
  }

  /** Resolves when nobody is being refused any more: within seconds. */
  async end(): Promise<void> {
    if (this.open.size === 0) return;
    this.idle ??= Promise.withResolvers();
    await this.idle.promise;
  }

  private answerAfterBody(request: IncomingMessage, response: ServerResponse): void {
    const answer = (): void => {
      clearTimeout(late);
      this.answer(response);
    };
    const late = setTimeout(answer, BODY_MS);
    request.once('end', answer).once('close', () => clearTimeout(late)).resume();
  }

  /** Once for a connection: what else comes by it is read by nobody. */
  private answer(response: ServerResponse): void {
    const { socket } = response.req;
    if (this.answered.has(socket)) return;
    this.answered.add(socket);
    this.refused += 1;
    response.shouldKeepAlive = false;
    answerRefused(response, Math.random());
  }
}
