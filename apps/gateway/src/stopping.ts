import { setTimeout as delay } from 'node:timers/promises';
import type { EventEmitter } from 'node:events';

export type StopSignal = 'SIGTERM' | 'SIGINT';
const SIGNALS: readonly StopSignal[] = ['SIGTERM', 'SIGINT'];

export interface StoppingOptions {
  /** How long everything is served as before once SIGTERM came, so that load balancers notice: milliseconds. */
  delayMs: number;
  logger: { info(fields: object, message: string): void };
  /** Resolves after so long, or rejects when the signal aborts; real time unless given. */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const realTime = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal });

/**
 * When a process stops, and what it says of itself until then. SIGTERM is an orchestrator, whose load balancers hear only with their next look at
 * readiness that this replica is to get nothing new: so readiness goes off, and everything is served for a while longer. A second SIGTERM ends that. SIGINT is a
 * person at a terminal, or a launcher that has no load balancer: there is nobody to wait for.
 */
export class Stopping {
  private readonly delayOver = new AbortController();
  private readonly begun = Promise.withResolvers<void>();
  private readonly due = Promise.withResolvers<void>();
  private readonly options: StoppingOptions;
  private draining = false;

  constructor(options: StoppingOptions) {
    this.options = options;
  }

  /** From the first signal on: readiness is off, and each answer is the last one of its connection. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Resolves with the first signal. */
  get hasBegun(): Promise<void> {
    return this.begun.promise;
  }

  /** Resolves when nothing new is to be accepted any more. */
  get isDue(): Promise<void> {
    return this.due.promise;
  }

  /** Heeds the signals of this process from now on. */
  heed(process: EventEmitter): void {
    for (const signal of SIGNALS) process.on(signal, () => this.receive(signal));
  }

  /** What a signal means, the first and every further one. */
  receive(signal: StopSignal): void {
    if (this.draining || signal === 'SIGINT' || this.options.delayMs === 0) this.delayOver.abort();
    if (this.draining) return;
    this.draining = true;
    this.begun.resolve();
    const { delayMs, logger, wait = realTime } = this.options;
    const immediately = this.delayOver.signal.aborted;
    logger.info({ signal, delay_ms: immediately ? 0 : delayMs }, 'draining');
    if (immediately) return this.due.resolve();
    void wait(delayMs, this.delayOver.signal)
      .catch(() => undefined) // a second signal
      .then(() => {
        logger.info({}, 'accepts nothing new any more');
        this.due.resolve();
      });
  }
}
