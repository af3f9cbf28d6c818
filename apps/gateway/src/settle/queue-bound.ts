import type { RedisClient } from '@deja/redis';

/** What waits on the usage queue: jobs of all gateways, and what one takes of Redis's memory, by some of them. */
export interface QueueLook {
  jobs: number;
  /** null: there is none to look at. */
  jobBytes: number | null;
}

export interface QueueBoundParts {
  /** null while it cannot be known. */
  look: () => Promise<QueueLook | null>;
  maxBytes: () => number;
  /** Live gateway replicas, which fill the queue as this one does between two looks. */
  replicas: () => number;
}

/** The fields of a job beside its data, and its place in the list. */
const JOB_OVERHEAD_BYTES = 600;
const LOOK_MS = 1000;
const SAMPLES = 10;

/** Keeps what gateways put on the usage queue together within a part of Redis's memory, about: each looks once a second, and counts what it adds meanwhile. */
export class QueueBound {
  private readonly parts: QueueBoundParts;
  private last: QueueLook = { jobs: 0, jobBytes: null };
  private sentBytes = 0;
  private sentJobs = 0;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;

  constructor(parts: QueueBoundParts) {
    this.parts = parts;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
    await this.look();
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Jobs that wait for a worker, about. */
  get jobs(): number {
    return this.last.jobs + this.sentJobs;
  }

  /** Bytes of Redis that are left to the queue; negative where there are more than there should be. */
  get roomBytes(): number {
    const { maxBytes, replicas } = this.parts;
    return maxBytes() - this.last.jobs * (this.last.jobBytes ?? 0) - this.sentBytes * replicas();
  }

  get isFull(): boolean {
    return this.roomBytes <= 0;
  }

  /** A job was put on the queue, with data of so many bytes. */
  sent(dataBytes: number): void {
    this.sentBytes += dataBytes + JOB_OVERHEAD_BYTES;
    this.sentJobs += 1;
  }

  /** Looks now. Never rejects: what was seen last holds until Redis answers again. */
  look(): Promise<void> {
    return (this.looking ??= this.lookOnce().finally(() => {
      this.looking = null;
    }));
  }

  private async lookOnce(): Promise<void> {
    const { sentBytes, sentJobs } = this;
    const seen = await this.parts.look().catch(() => null);
    if (seen === null) return;
    this.last = seen;
    // What was sent while it looked may be among what it saw, or not.
    this.sentBytes -= sentBytes;
    this.sentJobs -= sentJobs;
  }
}

/** Looks at a BullMQ queue: how many jobs wait or are being worked at, and how much memory Redis says that some of them take, spread over the whole. */
export function lookAt(redis: RedisClient, toKey: (name: string) => string): () => Promise<QueueLook> {
  return async () => {
    const [waiting, active, delayed] = await Promise.all([redis.llen(toKey('wait')), redis.llen(toKey('active')), redis.zcard(toKey('delayed'))]);
    const places = Array.from({ length: Math.min(SAMPLES, waiting) }, (_, i) => Math.floor((i * waiting) / Math.min(SAMPLES, waiting)));
    const ids = await Promise.all(places.map((at) => redis.lindex(toKey('wait'), at)));
    const sizes = await Promise.all(ids.flatMap((id) => (id === null ? [] : [redis.memory('USAGE', toKey(id), 'SAMPLES', 0)])));
    const known = sizes.filter((size) => size !== null);
    return { jobs: waiting + active + delayed, jobBytes: known.length === 0 ? null : known.reduce((sum, size) => sum + size, 0) / known.length };
  };
}
