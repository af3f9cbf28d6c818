import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerRefused } from '../overload/refusal-answer.ts';

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
  private open = 0;
  private readonly server = createServer((request, response) => this.answerAfterBody(request, response));

  constructor() {
    this.server.on('checkContinue', (_request, response: ServerResponse) => this.answer(response)); // its body does not come
  }

  /** Takes a connection of which nothing has been read; false where it has no room for one more. */
  refuse(socket: Socket): boolean {
    if (this.open >= MOST) return false;
    this.open += 1;
    const end = setTimeout(() => socket.destroy(), DEADLINE_MS);
    socket.once('close', () => {
      clearTimeout(end);
      this.open -= 1;
    });
    socket.allowHalfOpen = true; // as a server's own connections are
    this.server.emit('connection', socket);
    socket.resume();
    return true;
  }

  private answerAfterBody(request: IncomingMessage, response: ServerResponse): void {
    const answer = (): void => {
      clearTimeout(late);
      this.answer(response);
    };
    const late = setTimeout(answer, BODY_MS);
    request.once('end', answer).once('close', () => clearTimeout(late)).resume();
  }

  private answer(response: ServerResponse): void {
    if (response.headersSent) return;
    this.refused += 1;
    response.shouldKeepAlive = false;
    answerRefused(response, Math.random());
  }
}
