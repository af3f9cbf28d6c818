import type { Logger, WorkerReadiness } from '@deja/telemetry';
import type { StopSignal } from '../stopping.ts';
import type { HandOver } from './hand-over.ts';
import { WorkerProcess, type WorkerEnd } from './worker-process.ts';

export interface WorkersOptions {
  count: number;
  /** Of this gateway; a worker's own is `<instance>-w<n>`. */
  instance: string;
  /** For how long one may say nothing until it is replaced, ms. */
  silenceMs: number;
  handOver: HandOver;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** A worker could not start, before all had for the first time: another try would fail as well. */
export class WorkerFailed extends Error {
  readonly exitCode: number;

  constructor(because: string, exitCode: number) {
    super(because);
    this.name = 'WorkerFailed';
    this.exitCode = exitCode;
  }
}

/** All workers of a gateway. One that ends is started again, until they are to stop. */
export class Workers {
  readonly all: readonly WorkerProcess[];
  private readonly logger: WorkersOptions['logger'];
  private readonly handOver: HandOver;
  private readonly haveStarted = Promise.withResolvers<void>();
  private readonly haveEnded = Promise.withResolvers<number>();
  private readonly yetToStart: Set<WorkerProcess>;
  private stopping = false;
  private exitCode = 0;

  constructor({ count, instance, silenceMs, handOver, logger }: WorkersOptions) {
    this.logger = logger;
    this.handOver = handOver;
    const events = {
      serving: (worker: WorkerProcess) => this.served(worker),
      closing: (worker: WorkerProcess) => void this.close(worker),
      silent: ({ n, pid }: WorkerProcess) => this.logger.error({ worker: n, pid, silent_s: silenceMs / 1000 }, 'a worker that has said nothing for too long is killed, with what it had under way'),
      ended: (worker: WorkerProcess, end: WorkerEnd, inMs: number) => this.ended(worker, end, inMs),
    };
    this.all = Array.from({ length: count }, (_, i) => new WorkerProcess(i + 1, { instance, silenceMs, handOver, events }));
    this.yetToStart = new Set(this.all);
  }

  /** Starts them all; resolves when each has served once, or they were stopped meanwhile. Rejects with WorkerFailed. */
  async start(): Promise<void> {
    for (const worker of this.all) worker.start();
    await Promise.race([this.haveStarted.promise, this.haveEnded.promise]);
  }

  /** Each has served once. */
  get areStarted(): boolean {
    return this.yetToStart.size === 0;
  }

  get areStopping(): boolean {
    return this.stopping;
  }

  /** The exit code, when they were stopped and the last one is gone: 0 if each ended well. */
  get end(): Promise<number> {
    return this.haveEnded.promise;
  }

  readiness(): Promise<WorkerReadiness[]> {
    return Promise.all(this.all.map((worker) => worker.readiness()));
  }

  /** Passes a signal on; from the first one on none is started again. */
  stop(signal: StopSignal): void {
    this.stopping = true;
    for (const worker of this.all) worker.stop(signal);
    this.endIfOver();
  }

  /** They were all told to stop, and do not wait for one another: with the first one the ports are closed. Each goes on until nothing can come any more. */
  private async close(worker: WorkerProcess): Promise<void> {
    await this.handOver.close();
    this.handOver.rest(worker);
    worker.closed();
  }

  private served(worker: WorkerProcess): void {
    this.yetToStart.delete(worker);
    if (this.areStarted) this.haveStarted.resolve();
  }

  private ended(worker: WorkerProcess, { code, signal, because }: WorkerEnd, inMs: number): boolean {
    if (this.stopping) {
      if (code !== 0) this.exitCode = 1;
      this.endIfOver();
      return false;
    }
    const mayTryAgain = this.areStarted || signal !== null;
    if (!mayTryAgain) {
      this.fail(worker, because, code);
      return false;
    }
    this.logger.warn({ worker: worker.n, ...(signal === null ? { exit_code: code } : { signal }), ...(because !== null && { because }), again_in_ms: inMs }, 'a worker ended and is started again');
    return true;
  }

  /** Nobody is served yet, so that the others can go at once. */
  private fail(failed: WorkerProcess, because: string | null, code: number | null): void {
    this.stopping = true;
    for (const worker of this.all) worker.kill();
    this.haveStarted.reject(new WorkerFailed(because ?? `Worker ${failed.n} did not start (${code === null ? 'its process could not be made' : `exit code ${code}`}).`, code || 1));
  }

  private endIfOver(): void {
    if (this.all.every(({ isWanted }) => !isWanted)) this.haveEnded.resolve(this.exitCode);
  }
}
