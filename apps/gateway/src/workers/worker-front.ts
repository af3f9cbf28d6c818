import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Front, Ops, Surface } from '../front.ts';
import type { Stopping } from '../stopping.ts';
import type { Answers, Question, ToPrimary, ToWorker } from './messages.ts';

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

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
    // Without the primary process nothing new will ever come: what runs is ended, as when a person stops it.
    process.on('disconnect', () => this.stopping?.receive('SIGINT'));
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

  closing(): void {
    say({ kind: 'closing' });
  }

  async close(): Promise<void> {}

  private receive(message: ToWorker, connection: Socket | undefined): void {
    switch (message.kind) {
      case 'connection':
        return this.take(message.id, message.surface, connection);
      case 'ask':
        return void this.answer(message.id, message.question);
      case 'stop':
        return this.stopping?.receive(message.signal);
    }
  }

  private take(id: number, surface: Surface, connection: Socket | undefined): void {
    // First of all: whatever has not been said to be taken, another worker may be given.
    say({ kind: 'taken', id });
    if (connection === undefined) return; // its client was faster in going
    // As a server's own connections are: a client that has said all it wants may end its half and wait for the answer.
    connection.allowHalfOpen = true;
    this.handed.add(connection);
    this.servers.get(surface)?.emit('connection', connection);
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
