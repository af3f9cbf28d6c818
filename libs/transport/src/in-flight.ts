import { setTimeout as delay } from 'node:timers/promises';
import { InFlightMap } from '@deja/in-flight';
import type { StreamsContext } from './streams-context.ts';

/** What a replica is handling of one kind: bounded, abortable, waitable. */
export class InFlight {
  readonly max: number;
  private readonly working = new InFlightMap<string, StreamsContext>();
  private change: PromiseWithResolvers<void> | null = null;
  private isOpen = true;

  constructor(max: number) {
    this.max = max;
  }

  get free(): number {
    return this.max - this.working.size;
  }

  get size(): number {
    return this.working.size;
  }

  has(id: string): boolean {
    return this.working.has(id);
  }

  /** Those that somebody still waits for. */
  ids(): string[] {
    return [...this.working].filter(([, context]) => !context.isOver).map(([id]) => id);
  }

  begin(id: string, context: StreamsContext): void {
    this.working.set(id, context);
  }

  end(id: string): void {
    this.working.get(id)?.end();
    this.working.delete(id);
    this.changed();
  }

  /** True when it was being handled. */
  abort(id: string, reason: string): boolean {
    const context = this.working.get(id);
    context?.abort(reason);
    return context !== undefined;
  }

  abortAll(reason: string): void {
    for (const context of this.working.values()) context.abort(reason);
  }

  /** Resolves when one more message may be handled, or after `close`. */
  async room(): Promise<void> {
    while (this.free <= 0 && this.isOpen) await this.changes();
  }

  /** Whoever waits for room need not any more: nothing new is to begin. */
  close(): void {
    this.isOpen = false;
    this.changed();
  }

  /** Resolves to true when nothing runs any more, to false after `deadlineMs`. */
  async drained(deadlineMs: number): Promise<boolean> {
    const tooLate = new AbortController();
    const deadline = delay(deadlineMs, undefined, { signal: tooLate.signal }).catch(() => undefined); // it drained in time
    let isOver = false;
    void deadline.then(() => {
      isOver = true;
    });
    while (this.working.size > 0 && !isOver) await Promise.race([deadline, this.changes()]);
    tooLate.abort();
    return this.working.size === 0;
  }

  private changes(): Promise<void> {
    return (this.change ??= Promise.withResolvers<void>()).promise;
  }

  private changed(): void {
    this.change?.resolve();
    this.change = null;
  }
}
