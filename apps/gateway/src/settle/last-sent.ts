import type { UsageEvent } from '@deja/contracts';

/** A Redis that is killed may come back without what it took last: with `appendfsync everysec`, a second; two where the disk is slow. */
const KEPT_MS = 3000;
const MOST_EVENTS = 20_000;

/** What was put on the queue in the last moments before now or, while nothing can be sent, before that began. */
export class LastSent {
  private batches: { atMs: number; events: UsageEvent[] }[] = [];

  add(events: UsageEvent[], nowMs: number): void {
    this.batches.push({ atMs: nowMs, events });
    let spare = this.batches.reduce((sum, batch) => sum + batch.events.length, 0) - MOST_EVENTS;
    const first = this.batches.findIndex(({ atMs, events: { length } }) => {
      const isKept = atMs >= nowMs - KEPT_MS && spare <= 0;
      spare -= length;
      return isKept;
    });
    this.batches.splice(0, first === -1 ? this.batches.length : first);
  }

  all(): UsageEvent[] {
    return this.batches.flatMap(({ events }) => events);
  }
}
