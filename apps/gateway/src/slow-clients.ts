import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterLook, arriving, isTooSlow, PATIENCE, type Arriving, type Look, type Patience } from './client-progress.ts';
import type { OpenConnections } from './open-connections.ts';

const LOOK_MS = 5000;

/** What the kernel has not taken of what was written, as libuv counts it; Node's own clock of a socket goes by it. */
type WithQueue = Socket & { _handle?: { writeQueueSize?: number } | null };

/**
 * Ends connections whose client holds up the server: one that drips its body in, takes nothing of its answer, or does not stop to send what nobody waits for. Each would
 * hold memory and a place for as long as it likes. One look at all of them every five seconds: a request that comes and goes in between costs nothing. Streams that are still
 * being written have a bound of their own (reply/reply.ts), and heads Node's.
 */
export class SlowClients {
  private bodies = new Map<ServerResponse, Arriving>();
  private answers = new Map<ServerResponse, Look>();

  constructor(
    private readonly server: Server,
    private readonly connections: OpenConnections,
    private readonly patience: Patience = PATIENCE,
  ) {}

  /** Until the server is closed. */
  watch(everyMs = LOOK_MS): void {
    const timer = setInterval(() => this.look(performance.now()), everyMs);
    timer.unref();
    this.server.once('close', () => clearInterval(timer));
  }

  private look(nowMs: number): void {
    const { bodies, answers } = this;
    // What is not seen again is over.
    this.bodies = new Map();
    this.answers = new Map();
    for (const answer of this.connections.running) {
      if (answer.req.destroyed && !answer.req.complete) continue;
      if (!answer.req.complete) this.lookAtBody(answer, bodies.get(answer), nowMs);
      else if (answer.writableEnded) this.lookAtAnswer(answer, answers.get(answer), nowMs);
    }
    for (const [socket, { running, unread, quietSinceMs }] of this.connections.open) {
      if (running === 0 && unread?.complete === false && nowMs - quietSinceMs >= this.patience.lingeringMs) socket.destroy();
    }
  }

  private lookAtBody(answer: ServerResponse, known: Arriving | undefined, nowMs: number): void {
    const { req } = answer;
    const look = { atMs: nowMs, bytes: req.socket.bytesRead };
    const body = known === undefined ? arriving(look) : afterLook(known, look, req.readableLength > 0);
    if (!isTooSlow(body, nowMs, this.patience)) return void this.bodies.set(answer, body);
    // As for a head that does not come in time: 408 where no answer has begun (unreadable.ts).
    this.server.emit('clientError', Object.assign(new Error('the body did not arrive in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), req.socket);
    req.socket.destroySoon();
  }

  private lookAtAnswer(answer: ServerResponse, known: Look | undefined, nowMs: number): void {
    const socket: WithQueue = answer.req.socket;
    const bytes = socket._handle?.writeQueueSize ?? 0;
    const last = known?.bytes === bytes ? known : { atMs: nowMs, bytes };
    if (nowMs - last.atMs >= this.patience.unreadAnswerMs) socket.destroy();
    else this.answers.set(answer, last);
  }
}
