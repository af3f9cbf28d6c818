import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Front, Ops, Surface } from '../front.ts';
import type { Stopping } from '../stopping.ts';
import { machineMs, SURELY_HEARD_MS } from './given-at.ts';
import type { Answers, Question, ToPrimary, ToWorker } from './messages.ts';

type Given = Extract<ToWorker, { kind: 'connection' }>;

/** Node's own hold on a connection. One that came by message is being read from the next turn of the event loop on, and no method of Socket ends that. */
type Readable = Socket & { _handle?: { readStart(): number; readStop(): number } | null };

/**
 * The front of a worker: connections, questions and the wish to stop come from the primary process. Signals mean nothing to it, because a terminal, and systemd,
 * send them to all processes of a group, and the primary process passes each one on: it would get every one twice, and a second SIGTERM ends the drain delay.
 */
export class WorkerFront implements Front {
  private readonly servers = new Map<Surface, Server>();
  /** Connections that came from the primary process. */
  private readonly handed = new WeakSet<Socket>();
  private ops: Ops | null = null;
  private stopping: Stopping | null = null;
  private readonly closed = Promise.withResolvers<void>();
  /** Connections of which it is not certain that they are this worker's, unread. */
  private readonly doubtful = new Map<number, { surface: Surface; connection: Socket }>();

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
    process.on('disconnect', () => this.orphaned());
  }

  /** What came before, waits: Node keeps messages that nobody listens to. */
  heed(stopping: Stopping): void {
    this.stopping = stopping;
    process.on('message', (message: ToWorker, connection?: Socket) => this.receive(message, connection));
    if (!process.connected) stopping.receive('SIGINT');
  }

  async tell(ops: Ops): Promise<null> {
    this.ops = ops;
    return null;
  }

  /** Node's server keeps its clocks for slow clients only while it listens: so it does, on a port that nobody is told and that answers nobody. */
  async listen(surface: Surface, app: NestFastifyApplication): Promise<null> {
    const server = app.getHttpServer();
    server.prependListener('connection', (socket: Socket) => {
      if (!this.handed.has(socket)) socket.destroy();
    });
    await app.listen(0, '127.0.0.1');
    this.servers.set(surface, server);
    return null;
  }

  opened(): void {
    say({ kind: 'serving' });
  }

  async closing(): Promise<void> {
    say({ kind: 'closing' });
    if (process.connected) await this.closed.promise;
  }

  async close(): Promise<void> {}

  private receive(message: ToWorker, connection: Socket | undefined): void {
    switch (message.kind) {
      case 'connection':
        return this.take(message, connection);
      case 'verdict':
        return this.judged(message.id, message.isYours);
      case 'closed':
        return this.closed.resolve();
      case 'beat':
        return say({ kind: 'beat' });
      case 'ask':
        return void this.answer(message.id, message.question);
      case 'stop':
        return this.stopping?.receive(message.signal);
    }
  }

  private take({ id, surface, givenAtMs }: Given, connection: Socket | undefined): void {
    if (connection !== undefined) setReading(connection, false);
    // First of all: whatever has not been said to be taken, another worker may be given.
    say({ kind: 'taken', id }, () => {
      if (connection === undefined) return; // its client was faster in going
      if (machineMs() - givenAtMs < SURELY_HEARD_MS) return this.serve(surface, connection);
      this.doubtful.set(id, { surface, connection });
      if (process.connected) say({ kind: 'late', id });
      else this.judged(id, false);
    });
  }

  private judged(id: number, isMine: boolean): void {
    const doubtful = this.doubtful.get(id);
    this.doubtful.delete(id);
    if (doubtful === undefined) return;
    if (isMine) this.serve(doubtful.surface, doubtful.connection);
    else doubtful.connection.destroy(); // this process's hold on it
  }

  private serve(surface: Surface, connection: Socket): void {
    // As a server's own connections are: what it means that a client ends its half, the server says.
    connection.allowHalfOpen = true;
    this.handed.add(connection);
    this.servers.get(surface)?.emit('connection', connection);
    setReading(connection, true);
  }

  /** Without the primary process nothing new will ever come: what runs is ended, as when a person stops it. */
  private orphaned(): void {
    for (const id of this.doubtful.keys()) this.judged(id, false);
    this.closed.resolve();
    this.stopping?.receive('SIGINT');
  }

  private async answer(id: number, question: Question): Promise<void> {
    const { ops } = this;
    if (ops === null) return; // it will be asked again
    try {
      say({ kind: 'answer', id, answer: await answerOf(ops, question) });
    } catch (error) {
      ops.logger.error({ err: error, question }, 'the primary process gets no answer');
    }
  }
}

async function answerOf({ checks, degraded, telemetry }: Ops, question: Question): Promise<Answers[Question]> {
  if (question === 'readiness') return { checks: checks(), degraded: degraded?.() ?? [] };
  return question === 'metrics' ? telemetry.metricsText() : telemetry.openMetricsText();
}

/** To the primary process; when it is gone, to nobody. */
export function say(message: ToPrimary, done: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, done);
  else done();
}

function setReading({ _handle: handle }: Readable, isReading: boolean): void {
  if (isReading) handle?.readStart();
  else handle?.readStop();
}
