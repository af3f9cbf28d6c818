import type { Logger } from '@deja/telemetry';
import { every } from './every.ts';

/** Work that is done again and again until it is ended. What fails is logged, and done again. */
export class Loops {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>[] = [];

  constructor(private readonly logger: Pick<Logger, 'warn'>) {}

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Now, and `intervalMs` after each end. */
  begin(intervalMs: number, work: () => Promise<unknown>, failed: string): void {
    this.running.push(every(intervalMs, this.signal, async () => void (await work()), (error) => {
      if (!this.signal.aborted) this.logger.warn({ err: error }, failed);
    }));
  }

  /** Resolves when what is under way is over. */
  async end(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }
}
