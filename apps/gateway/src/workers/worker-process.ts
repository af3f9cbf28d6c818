import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { WorkerReadiness } from '@deja/telemetry';
import type { Surface } from '../front.ts';
import type { StopSignal } from '../stopping.ts';
import type { HandOver, Taker } from './hand-over.ts';
import type { Answers, Question, ToPrimary, ToWorker } from './messages.ts';
import { RestartBackoff } from './restart-backoff.ts';
import { workerArguments } from './worker-arguments.ts';

/** How a worker ended: by itself, with a code, or by a signal; neither when it could not be started at all. */
export interface WorkerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why it could not start, if it said so. */
  because: string | null;
}

/** What happens to a worker, for whoever has them all. */
export interface WorkerEvents {
  serving(worker: WorkerProcess): void;
  closing(worker: WorkerProcess): void;
  /** It has ended. Returns whether it is to be started again in so many milliseconds. */
  ended(worker: WorkerProcess, end: WorkerEnd, inMs: number): boolean;
}

/** A process probe waits for seconds; a worker that takes longer than this has not had a turn of its event loop for as long. */
const READINESS_DEADLINE_MS = 1000;

/** One of the places for a worker, and the process that has it at the moment. */
export class WorkerProcess implements Taker {
  /** From 1 on. */
  readonly n: number;
  /** Starts after the first one. */
  restarts = 0;
  /** Connections that it has taken, over all its processes. */
  connections = 0;
  private readonly instance: string;
  private readonly handOver: HandOver;
  private readonly events: WorkerEvents;
  private readonly backoff = new RestartBackoff();
  private readonly asked = new Map<number, (answer: Answers[Question] | null) => void>();
  private child: ChildProcess | null = null;
  private isServing = false;
  private again: NodeJS.Timeout | null = null;
  private lastQuestion = 0;

  constructor(n: number, { instance, handOver, events }: { instance: string; handOver: HandOver; events: WorkerEvents }) {
    this.n = n;
    this.instance = instance;
    this.handOver = handOver;
    this.events = events;
  }

  /** Whether it has, or is about to have, a process. */
  get isWanted(): boolean {
    return this.child !== null || this.again !== null;
  }

  /** Whether it takes connections. */
  get serves(): boolean {
    return this.isServing;
  }

  start(): void {
    const startedAtMs = performance.now();
    const child = fork(process.argv[1] ?? '', workerArguments(this.n), { env: { ...process.env, DEJA_INSTANCE: `${this.instance}-w${this.n}` } });
    let because: string | null = null;
    let isOver = false;
    const over = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (isOver) return;
      isOver = true;
      this.gone({ code, signal, because }, performance.now() - startedAtMs);
    };
    this.child = child;
    child.on('message', (message: ToPrimary) => {
      if (message.kind === 'failed') because = message.because;
      else this.receive(message);
    });
    child.on('error', () => child.pid === undefined && over(null, null)); // of one that runs: a message that did not get there, whose end is told by the next event
    // The last of all: the process is gone, and everything that it said has been heard.
    child.once('close', over);
  }

  take(connection: { id: number; surface: Surface }, socket: Socket): void {
    // Kept open here as well, until it is taken.
    this.send({ kind: 'connection', ...connection }, socket);
  }

  stop(signal: StopSignal): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    this.send({ kind: 'stop', signal });
  }

  /** For one that serves nobody yet. */
  kill(): void {
    this.child?.kill('SIGKILL');
  }

  async readiness(): Promise<WorkerReadiness> {
    const lacking = (check: string): WorkerReadiness => ({ worker: this.n, pid: this.child?.pid ?? null, ready: false, checks: { [check]: false }, degraded: [] });
    if (this.child === null) return lacking('running');
    if (!this.isServing) return lacking('started');
    const answer = await this.ask('readiness', READINESS_DEADLINE_MS);
    if (answer === null) return lacking(this.isServing ? 'answering' : 'running');
    return { worker: this.n, pid: this.child?.pid ?? null, ready: Object.values(answer.checks).every(Boolean), ...answer };
  }

  /** null when it has not answered in time, or is gone. */
  ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Answers[Q] | null> {
    const { promise, resolve } = Promise.withResolvers<Answers[Q] | null>();
    this.lastQuestion += 1;
    const id = this.lastQuestion;
    const late = setTimeout(() => answered(null), deadlineMs);
    const answered = (answer: Answers[Question] | null): void => {
      clearTimeout(late);
      this.asked.delete(id);
      resolve(answer as Answers[Q] | null); // the same program on the other side
    };
    const untaken = this.handOver.untakenBy(this);
    this.asked.set(id, (answer) => {
      // It has heard the question and not of the connection that was sent before it.
      if (answer !== null && untaken !== null) this.handOver.lost(this, untaken);
      answered(answer);
    });
    this.send({ kind: 'ask', id, question });
    return promise;
  }

  private receive(message: Exclude<ToPrimary, { kind: 'failed' }>): void {
    switch (message.kind) {
      case 'serving':
        this.isServing = true;
        this.handOver.join(this);
        return this.events.serving(this);
      case 'taken':
        this.connections += 1;
        return this.handOver.taken(this, message.id);
      case 'answer':
        return this.asked.get(message.id)?.(message.answer);
      case 'closing':
        this.handOver.rest(this);
        return this.events.closing(this);
    }
  }

  private gone(end: WorkerEnd, livedMs: number): void {
    this.child = null;
    this.isServing = false;
    this.handOver.leave(this);
    for (const answered of this.asked.values()) answered(null);
    const inMs = this.backoff.afterLifeOf(livedMs);
    if (!this.events.ended(this, end, inMs)) return;
    this.again = setTimeout(() => {
      this.again = null;
      this.restarts += 1;
      this.start();
    }, inMs);
  }

  private send(message: ToWorker, socket?: Socket): void {
    if (this.child?.connected) this.child.send(message, socket, { keepOpen: true }, () => undefined); // one that cannot be told is about to be gone
  }
}
