import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { IDLE, RUNNING, type Floats, type Job, type LoadedModel, type ThreadMessage, type ThreadStart } from './inference-protocol.ts';

/** Beside this file, with its extension: `.ts` among the sources, `.mjs` in the folder of a bundle. */
const WORKER = new URL(`./inference-worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
const MAX_WAITING = 64;
const FIRST_RESTART_MS = 1000;
const LONGEST_RESTART_MS = 60_000;
/** A run takes milliseconds. */
const STALLED_MS = 2000;
/** How long the end of a thread may wait for the end of a run. */
const LAST_RUN_MS = 5000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface NeuralLogger {
  warn(fields: object, message: string): void;
}

export interface InferenceOptions {
  /** The ONNX file. */
  model: URL;
  /** What its SHA-256 must be, in hex; null where any file will do. */
  sha256: string | null;
  logger: NeuralLogger;
  /** Jobs that may wait for the thread; one more is refused at once. */
  maxWaiting?: number;
  /** Pause before a thread that broke down is started again; doubles with each time, up to a minute. */
  restartMs?: number;
  /** From when on a run counts as hanging, so that new jobs are refused at once until it ends. */
  stalledMs?: number;
  /** The file that the thread runs. */
  worker?: URL;
}

/**
 * Why a job has no answer: `late` for its deadline, `aborted` by its signal, `busy` with too many before it or one that hangs,
 * `down` until the thread has started again, `refused` by the model.
 */
export type Failure = 'late' | 'aborted' | 'busy' | 'down' | 'refused';
export type Outcome = { outputs: Readonly<Record<string, Floats>>; failure: null } | { outputs: null; failure: Failure };

export interface RunOptions {
  deadlineMs: number;
  signal?: AbortSignal | undefined;
  /** Told the answer of a job that was under way when its deadline passed. */
  late?: (outputs: Readonly<Record<string, Floats>>) => void;
}

interface Waiting {
  job: Job;
  settle: (outcome: Outcome) => void;
  late: RunOptions['late'];
  settled: boolean;
}

/**
 * One ONNX model in a thread of its own, seen from the side that asks. Jobs run one after the other, and the next is sent
 * only when the one before is done, so that a job whose deadline has passed is dropped instead of computed. Keeps no process alive.
 */
export class InferenceThread {
  private readonly options: InferenceOptions;
  private readonly state: Int32Array<SharedArrayBuffer>;
  private worker: Worker | null = null;
  private ready = false;
  private closed = false;
  private breakdowns = 0;
  private restart: NodeJS.Timeout | undefined;
  private readonly waiting = new Set<Waiting>();
  private underWay: { waiting: Waiting; sinceMs: number } | null = null;

  private constructor(options: InferenceOptions) {
    this.options = options;
    this.state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    process.on('exit', this.awaitLastRun);
  }

  /** Starts the thread and loads the model; throws an Error whose message tells the operator why that cannot be. */
  static async open(options: InferenceOptions): Promise<{ thread: InferenceThread; model: LoadedModel }> {
    const thread = new InferenceThread(options);
    try {
      return { thread, model: await thread.start() };
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  /** Never throws: an answer, or why there is none by the deadline. */
  run(job: Job, { deadlineMs, signal, late }: RunOptions): Promise<Outcome> {
    const failure = this.reasonToRefuse(signal);
    if (failure !== null) return Promise.resolve({ outputs: null, failure });
    return new Promise((resolve) => {
      const fail = (reason: Failure): void => waiting.settle({ outputs: null, failure: reason });
      const aborted = (): void => fail('aborted');
      const timer = setTimeout(fail, Math.min(deadlineMs, LONGEST_TIMER_MS), 'late');
      signal?.addEventListener('abort', aborted, { once: true });
      const waiting: Waiting = {
        job,
        late,
        settled: false,
        settle: (outcome) => {
          if (waiting.settled) return;
          waiting.settled = true;
          clearTimeout(timer);
          signal?.removeEventListener('abort', aborted);
          this.waiting.delete(waiting);
          resolve(outcome);
        },
      };
      this.waiting.add(waiting);
      this.sendNext();
    });
  }

  /** Ends the thread, after the run that is under way; what waits gets no answer. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.restart);
    this.failAll('down');
    const { worker } = this;
    if (worker !== null) {
      worker.ref(); // or the process could end before this does
      const lastRun = Atomics.waitAsync(this.state, 0, RUNNING, LAST_RUN_MS);
      if ((await lastRun.value) === 'timed-out') {
        worker.unref();
        return; // stopping it in a run would abort the process
      }
      await worker.terminate();
    }
    process.off('exit', this.awaitLastRun);
  }

  private reasonToRefuse(signal: AbortSignal | undefined): Failure | null {
    if (signal?.aborted) return 'aborted';
    if (!this.ready || this.closed) return 'down';
    const stalled = this.underWay !== null && performance.now() - this.underWay.sinceMs > (this.options.stalledMs ?? STALLED_MS);
    return stalled || this.waiting.size >= (this.options.maxWaiting ?? MAX_WAITING) ? 'busy' : null;
  }

  private start(): Promise<LoadedModel> {
    const { model, sha256, worker: file = WORKER } = this.options;
    Atomics.store(this.state, 0, IDLE);
    const workerData: ThreadStart = { model: fileURLToPath(model), sha256, state: this.state.buffer };
    return new Promise((resolve, reject) => {
      const worker = new Worker(file, { workerData, name: 'inference', execArgv: [] });
      this.worker = worker;
      let reason = 'The thread that runs the model ended by itself.';
      worker.on('error', (error) => (reason = error instanceof Error ? error.message : String(error)));
      worker.on('exit', () => {
        this.worker = null;
        if (this.ready) this.breakDown(reason);
        reject(new Error(reason));
      });
      worker.on('message', (message: ThreadMessage) => {
        if (message.kind === 'answer' || message.kind === 'refused') return this.finish(message);
        if (message.kind === 'failed') reason = message.reason; // and the thread ends, having nothing to listen to
        else {
          worker.unref();
          this.ready = true;
          resolve(message.model);
        }
      });
    });
  }

  private sendNext(): void {
    if (this.underWay !== null || this.worker === null) return;
    const [next] = this.waiting;
    if (next === undefined) return;
    this.waiting.delete(next);
    this.underWay = { waiting: next, sinceMs: performance.now() };
    Atomics.store(this.state, 0, RUNNING); // the thread says when it is done
    this.worker.postMessage(next.job);
  }

  private finish(message: Extract<ThreadMessage, { kind: 'answer' | 'refused' }>): void {
    const job = this.underWay?.waiting;
    this.underWay = null;
    if (message.kind === 'refused') {
      this.options.logger.warn({ reason: message.reason }, 'the neural model refused its input');
      job?.settle({ outputs: null, failure: 'refused' });
    } else {
      this.breakdowns = 0;
      if (job?.settled) job.late?.(message.outputs);
      else job?.settle({ outputs: message.outputs, failure: null });
    }
    this.sendNext();
  }

  private breakDown(reason: string): void {
    this.ready = false;
    Atomics.store(this.state, 0, IDLE);
    this.failAll('down');
    this.underWay = null;
    if (!this.closed) this.startLater(reason);
  }

  private startLater(reason: string): void {
    const pauseMs = restartPauseMs(this.breakdowns++, this.options.restartMs ?? FIRST_RESTART_MS);
    this.options.logger.warn({ reason, pause_ms: pauseMs }, 'the thread of a neural model broke down and is started again');
    this.restart = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (!this.closed) this.startLater(error instanceof Error ? error.message : String(error));
      });
      this.worker?.unref();
    }, pauseMs).unref();
  }

  private failAll(failure: Failure): void {
    this.underWay?.waiting.settle({ outputs: null, failure });
    for (const { settle } of this.waiting) settle({ outputs: null, failure });
  }

  /** The end of a process stops its threads, and that must not fall into a run (see `uninterrupted`). */
  private readonly awaitLastRun = (): void => {
    Atomics.wait(this.state, 0, RUNNING, LAST_RUN_MS);
  };
}

/** How long to wait before a thread is started for the n-th time again, in milliseconds. */
export function restartPauseMs(breakdowns: number, firstMs: number): number {
  return Math.min(LONGEST_RESTART_MS, firstMs * 2 ** breakdowns);
}
