import type { WrittenEvent } from './job-data.ts';
import { KEPT_MS } from './last-sent.ts';

const MOST_EVENTS = 10_000;

/** Records that were left in Redis alone in the last moments before now or, while none are left, before that began. */
export class LastLeft {
  private events: { atMs: number; one: WrittenEvent }[] = [];

  add(one: WrittenEvent, nowMs: number): void {
    this.events.push({ atMs: nowMs, one });
    // Looked at now and then: what is over at the front is few, and moving the others costs.
    if (this.events.length % 1000 !== 0) return;
    const first = this.events.findIndex(({ atMs }) => atMs >= nowMs - KEPT_MS);
    this.events.splice(0, Math.max(first, this.events.length - MOST_EVENTS));
  }

  /** All of them, oldest first; they are forgotten here. */
  take(): WrittenEvent[] {
    return this.events.splice(0).map(({ one }) => one);
  }
}
