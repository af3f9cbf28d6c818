import type { UsageJobData } from '@deja/contracts';

/** What one job on the queue has: its data, and the ids of the events in it. */
export interface UsageJob {
  data: UsageJobData;
  ids: string[];
}

/** A Redis that is killed may come back without what it took last: with `appendfsync everysec`, a second; two where the disk is slow. */
export const KEPT_MS = 3000;
const MOST_EVENTS = 20_000;

/** The jobs that were put on the queue in the last moments before now or, while nothing can be sent, before that began. They are kept as they were sent: a tenth of the memory that their events take. */
export class LastSent {
  private jobs: { atMs: number; job: UsageJob }[] = [];

  add(job: UsageJob, nowMs: number): void {
    this.jobs.push({ atMs: nowMs, job });
    let spare = this.jobs.reduce((sum, { job: { ids } }) => sum + ids.length, 0) - MOST_EVENTS;
    const first = this.jobs.findIndex(({ atMs, job: { ids } }) => {
      const isKept = atMs >= nowMs - KEPT_MS && spare <= 0;
      spare -= ids.length;
      return isKept;
    });
    this.jobs.splice(0, first === -1 ? this.jobs.length : first);
  }

  all(): UsageJob[] {
    return this.jobs.map(({ job }) => job);
  }
}
