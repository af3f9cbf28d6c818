import type { PointPayload } from './payload.ts';
import { QdrantFailure } from './failure.ts';

export interface Point {
  id: string;
  vector: number[];
  payload: PointPayload;
}

/** How long a point may wait for others, how many go in one request, and about how many bytes: the server refuses bodies over 32 MiB. */
const COLLECT_MS = 5;
const MAX_POINTS = 256;
const MAX_BYTES = 8 * 1024 * 1024;
const BYTES_PER_NUMBER = 22;

interface Batch {
  /** By id: of two with one id the first counts, as in the index. */
  points: Map<string, Point>;
  bytes: number;
  timer: ReturnType<typeof setTimeout>;
  sent: PromiseWithResolvers<void>;
  /** Of points that the server refused by themselves, while the others of the batch are in. */
  refused: Map<string, unknown>;
}

/** Collects points for a few milliseconds, so that many of them cost one request. */
export class UpsertBatches {
  private readonly send: (points: readonly Point[]) => Promise<void>;
  private collecting: Batch | null = null;
  private readonly underWay = new Set<Promise<void>>();

  /** @param send puts them all in, or rejects */
  constructor(send: (points: readonly Point[]) => Promise<void>) {
    this.send = send;
  }

  /** Resolves when the point is in; rejects with what `send` said. */
  async add(point: Point): Promise<void> {
    const batch = this.collecting ?? this.begin();
    if (!batch.points.has(point.id)) {
      batch.points.set(point.id, point);
      batch.bytes += point.vector.length * BYTES_PER_NUMBER + 2 * point.payload.text.length;
    }
    if (batch.points.size >= MAX_POINTS || batch.bytes >= MAX_BYTES) this.dispatch(batch);
    await batch.sent.promise;
    if (batch.refused.has(point.id)) throw batch.refused.get(point.id);
  }

  /** Sends what is being collected; resolves when nothing is under way any more, in whatever way it ended. */
  async settle(): Promise<void> {
    if (this.collecting !== null) this.dispatch(this.collecting);
    await Promise.allSettled(this.underWay);
  }

  private begin(): Batch {
    const batch: Batch = { points: new Map(), bytes: 0, timer: setTimeout(() => this.dispatch(batch), COLLECT_MS), sent: Promise.withResolvers(), refused: new Map() };
    this.collecting = batch;
    return batch;
  }

  private dispatch(batch: Batch): void {
    if (this.collecting !== batch) return;
    this.collecting = null;
    clearTimeout(batch.timer);
    const sending = this.deliver(batch).then(batch.sent.resolve, batch.sent.reject);
    this.underWay.add(sending);
    void sending.finally(() => this.underWay.delete(sending));
  }

  /** A request that holds something the server does not take is refused whole: then each point is sent by itself, so that one does not take the others with it. */
  private async deliver({ points, refused }: Batch): Promise<void> {
    try {
      await this.send([...points.values()]);
    } catch (error) {
      if (points.size === 1 || !(error instanceof QdrantFailure) || (error.status !== 400 && error.status !== 422)) throw error;
      for (const point of points.values()) await this.send([point]).catch((reason: unknown) => refused.set(point.id, reason));
    }
  }
}
