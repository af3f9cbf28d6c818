import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { WorkerReadiness } from '@deja/telemetry';
import type { Surface } from '../front.ts';
import type { StopSignal } from '../stopping.ts';
import { machineMs, TAKEN_BACK_AFTER_MS } from './given-at.ts';
import type { HandOver, Taker } from './hand-over.ts';
import type { Answers, Question, ToPrimary, ToWorker } from './messages.ts';
import { RestartBackoff } from './restart-backoff.ts';
import { BEATS, Silence } from './silence.ts';
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
  /** It has said nothing for too long, and is being killed. */
  silent(worker: WorkerProcess): void;
  /** It has ended. Returns whether it is to be started again in so many milliseconds. */
  ended(worker: WorkerProcess, end: WorkerEnd, inMs: number): boolean;
}

export interface WorkerSurroundings {
  /** Of the whole gateway. */
  instance: string;
  /** For how long a process may say nothing until it is killed. */
  silenceMs: number;
  handOver: HandOver;
  events: WorkerEvents;
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
  private readonly silenceMs: number;
  private readonly backoff = new RestartBackoff();
  private readonly asked = new Map<number, (answer: Answers[Question] | null) => void>();
  private child: ChildProcess | null = null;
  private isServing = false;
  private again: NodeJS.Timeout | null = null;
  private untaken: NodeJS.Timeout | null = null;
  private lastQuestion = 0;

  constructor(n: number, { instance, silenceMs, handOver, events }: WorkerSurroundings) {
    this.n = n;
    this.instance = instance;
    this.silenceMs = silenceMs;
    this.handOver = handOver;
    this.events = events;
  }

  /** Of its process now; null where it has none. */
  get pid(): number | null {
    return this.child?.pid ?? null;
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
      clearInterval(beat);
      this.gone({ code, signal, because }, performance.now() - startedAtMs);
    };
    this.child = child;
    const silence = new Silence();
    const beat = setInterval(() => void heardAll(() => this.beat(silence)), this.silenceMs / BEATS);
    child.on('message', (message: ToPrimary) => {
      silence.broken();
      if (message.kind === 'failed') because = message.because;
      else this.receive(message);
    });
    child.on('error', () => child.pid === undefined && over(null, null)); // of one that runs: a message that did not get there, whose end is told by the next event
    // The last of all: the process is gone, and everything that it said has been heard.
    child.once('close', over);
  }

  take(connection: { id: number; surface: Surface }, socket: Socket): void {
    const givenAtMs = machineMs();
    // Kept open here as well, until it is taken.
    this.send({ kind: 'connection', ...connection, givenAtMs }, socket);
    this.takeBackLater(connection.id, givenAtMs);
  }

  /** Nothing new will come to it. */
  closed(): void {
    this.send({ kind: 'closed' });
  }

  stop(signal: StopSignal): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    this.send({ kind: 'stop', signal });
  }

  /** For one that serves nobody, yet or any more. */
  kill(): void {
    this.child?.kill('SIGKILL');
  }

  async readiness(): Promise<WorkerReadiness> {
    const lacking = (check: string): WorkerReadiness => ({ worker: this.n, pid: this.pid, ready: false, checks: { [check]: false }, degraded: [] });
    if (this.child === null) return lacking('running');
    if (!this.isServing) return lacking('started');
    const answer = await this.ask('readiness', READINESS_DEADLINE_MS);
    if (answer === null) return lacking(this.isServing ? 'answering' : 'running');
    return { worker: this.n, pid: this.pid, ready: Object.values(answer.checks).every(Boolean), ...answer };
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
        return this.taken(message.id);
      case 'late':
        return this.send({ kind: 'verdict', id: message.id, isYours: this.handOver.isOf(this, message.id) });
      case 'beat':
        return; // that it says something is all
      case 'answer':
        return this.asked.get(message.id)?.(message.answer);
      case 'closing':
        return this.events.closing(this);
    }
  }

  private taken(id: number): void {
    if (this.untaken !== null) clearTimeout(this.untaken);
    this.handOver.taken(this, id);
    if (this.handOver.isOf(this, id)) this.connections += 1;
  }

  private takeBackLater(id: number, givenAtMs: number): void {
    const leftMs = TAKEN_BACK_AFTER_MS - (machineMs() - givenAtMs);
    // A timer counts from the beginning of the turn it was made in, which may have been a while before.
    this.untaken = setTimeout(() => void heardAll(() => {
      if (machineMs() - givenAtMs < TAKEN_BACK_AFTER_MS) this.takeBackLater(id, givenAtMs);
      else this.handOver.takeBack(this, id);
    }), leftMs);
  }

  private beat(silence: Silence): void {
    if (!silence.lasts()) return this.send({ kind: 'beat' });
    this.events.silent(this);
    this.kill();
  }

  private gone(end: WorkerEnd, livedMs: number): void {
    this.child = null;
    this.isServing = false;
    if (this.untaken !== null) clearTimeout(this.untaken);
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

/** Acts when everything that had been said by now has been heard: timers come before it, in a process that stood still too. */
const heardAll = (act: () => void): NodeJS.Immediate => setImmediate(act);
