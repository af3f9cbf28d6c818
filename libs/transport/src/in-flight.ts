import { setTimeout as delay } from 'node:timers/promises';

/** One message being handled. */
export interface Work {
  signal: AbortSignal;
}

const REMEMBERED_CANCELLATIONS = 1000;

/** What this replica is handling: bounded, cancellable, waitable. */
export class InFlight {
  private readonly working = new Map<string, AbortController>();
  private readonly cancelled = new Set<string>();
  private wake: PromiseWithResolvers<void> | null = null;

  constructor(private readonly max: number) {}

  get free(): number {
    return this.max - this.working.size;
  }

  ids(): string[] {
    return [...this.working.keys()];
  }

  /** Resolves when one more message may be handled. */
  async room(): Promise<void> {
    while (this.free <= 0) await (this.wake ??= Promise.withResolvers<void>()).promise;
  }

  /** Runs `handle`; its signal aborts on cancellation or after `budgetMs`. */
  async run(id: string, budgetMs: number | null, handle: (work: Work) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    this.working.set(id, controller);
    const timer = budgetMs === null ? null : setTimeout(() => controller.abort(), budgetMs);
    try {
      await handle({ signal: controller.signal });
    } finally {
      if (timer) clearTimeout(timer);
      this.working.delete(id);
      this.wake?.resolve();
      this.wake = null;
    }
  }

  /** A cancellation may come before its request was read. */
  cancel(id: string): void {
    const controller = this.working.get(id);
    if (controller) return controller.abort();
    this.cancelled.add(id);
    if (this.cancelled.size > REMEMBERED_CANCELLATIONS) this.cancelled.delete(this.cancelled.values().next().value ?? '');
  }

  wasCancelled(id: string): boolean {
    return this.cancelled.delete(id);
  }

  /** Resolves when nothing runs any more, or after `deadlineMs`. */
  async drained(deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs;
    while (this.working.size > 0 && Date.now() < until) await delay(10);
  }

  abortAll(): void {
    for (const controller of this.working.values()) controller.abort();
  }
}
