import type { AttemptOutcome } from '@deja/contracts';

const BATCH_MS = 100;
const MAX_WAITING = 10_000;

/** Tells the router how attempts went, in batches. Advice, not truth: what cannot be told is dropped. */
export class OutcomeReporter {
  private waiting: AttemptOutcome[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly notify: (outcomes: AttemptOutcome[]) => Promise<void>) {}

  add(outcome: AttemptOutcome): void {
    if (this.waiting.length < MAX_WAITING) this.waiting.push(outcome);
    this.timer ??= setTimeout(() => void this.flush(), BATCH_MS).unref();
  }

  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const outcomes = this.waiting;
    this.waiting = [];
    if (outcomes.length === 0) return;
    await this.notify(outcomes).catch(() => undefined); // the connection logs its own outages
  }
}
