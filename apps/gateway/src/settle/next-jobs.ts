import { BATCH_SIZE } from './batching.ts';
import type { WrittenEvent } from './job-data.ts';
import { LastLeft } from './last-left.ts';

/** Events in memory that wait for the job before theirs. Redis has each of them, so more than these wait there alone. */
const MOST_WAITING = 10_000;

export interface NextJobsOptions {
  /** Puts one job on the queue, or what it holds elsewhere; never rejects. */
  send: (events: WrittenEvent[]) => Promise<void>;
  /** How long events gather, by how many the job before had, ms. */
  gatherMs: (lastEvents: number) => number;
}

/** Events that Redis has, on their way to the queue: they gather for a moment, and one job is under way at a time. */
export class NextJobs {
  private readonly send: NextJobsOptions['send'];
  private readonly gatherMs: NextJobsOptions['gatherMs'];
  private readonly waiting: WrittenEvent[] = [];
  /** The job under way. */
  private sending: WrittenEvent[] = [];
  /** What Redis alone has, as far as it may have forgotten it when it comes back from a crash. */
  private readonly left = new LastLeft();
  /** Events of the job before. */
  private lastEvents = 0;
  private timer: NodeJS.Timeout | null = null;
  private flushing: Promise<void> | null = null;

  constructor({ send, gatherMs }: NextJobsOptions) {
    this.send = send;
    this.gatherMs = gatherMs;
  }

  /** Events that wait here. */
  get length(): number {
    return this.waiting.length;
  }

  get isHalfFull(): boolean {
    return this.waiting.length > MOST_WAITING / 2;
  }

  /** Whether there is room for it. What finds none is remembered for `leftAgain` and not sent. */
  add(one: WrittenEvent): boolean {
    const hasRoom = this.waiting.length < MOST_WAITING;
    if (hasRoom) this.waiting.push(one);
    else this.left.add(one, Date.now());
    if (!this.flushing) this.schedule();
    return hasRoom;
  }

  /** What waits or is under way. */
  events(): WrittenEvent[] {
    return [...this.sending, ...this.waiting];
  }

  /** Redis may have forgotten what it alone had: that goes the usual way after all. */
  leftAgain(): void {
    this.waiting.push(...this.left.take());
    this.schedule();
  }

  /** All that was left to Redis has been sent from there. */
  forgetLeft(): void {
    this.left.take();
  }

  /** Sends the next job at once; resolves when it is sent. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    while (this.flushing) await this.flushing;
    if (this.waiting.length === 0) return;
    const events = this.waiting.splice(0, BATCH_SIZE);
    this.lastEvents = events.length;
    this.sending = events;
    this.flushing = this.send(events).finally(() => {
      this.flushing = null;
      this.sending = [];
      this.schedule();
    });
    await this.flushing;
  }

  /** Sends all there is. */
  async drain(): Promise<void> {
    while (this.waiting.length > 0 || this.flushing) await this.flush();
  }

  private schedule(): void {
    if (this.waiting.length >= BATCH_SIZE) void this.flush();
    else if (this.waiting.length > 0) this.timer ??= setTimeout(() => void this.flush(), this.gatherMs(this.lastEvents));
  }
}
