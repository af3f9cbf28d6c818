import { gatewayAcceptedKey, type OpenOperation } from '@deja/contracts';
import type { Pipeline } from '@deja/redis';

/** How many operations a gateway process has accepted of those received in a quarter of an hour. Of two counts of the same quarter the larger one is the later. */
export interface AcceptedCount {
  kind: 'accepted';
  /** Beginning of the quarter, Unix ms. */
  quarterMs: number;
  operations: number;
}

const QUARTER_MS = 15 * 60_000;
/** How long a count is there to be compared with the ledger. */
export const ACCEPTED_TTL_S = 2 * 86_400;

export const quarterOf = (ms: number): number => Math.floor(ms / QUARTER_MS) * QUARTER_MS;

type Counted = Pick<OpenOperation, 'id' | 'receivedAtMs'>;

/**
 * What this process accepted, to be compared with the ledger. What is written of it is never a difference but always the whole count, beside what
 * is counted: it may be written twice, late, or anew after Redis has lost it, and is right all the same.
 */
export class AcceptedCounts {
  private readonly instance: string;
  private readonly counts = new Map<number, number>();
  /** Operations under way that are counted. */
  private readonly underWay = new Set<string>();

  constructor(instance: string) {
    this.instance = instance;
  }

  /** Counts an operation that begins, once; returns how many its quarter has. */
  opened(operation: Counted): AcceptedCount {
    if (!this.underWay.has(operation.id)) {
      this.underWay.add(operation.id);
      this.add(operation);
    }
    return this.of(operation);
  }

  /** Counts an operation that ends, if that was not done when it began: it was refused before that. */
  settled(operation: Counted): AcceptedCount {
    if (!this.underWay.delete(operation.id)) this.add(operation);
    return this.of(operation);
  }

  isCounted({ id }: Counted): boolean {
    return this.underWay.has(id);
  }

  /** Adds the count to what is sent together with the operation's opening. */
  queue(pipeline: Pipeline, { quarterMs, operations }: AcceptedCount): Pipeline {
    return pipeline.hset(gatewayAcceptedKey(this.instance), String(quarterMs), operations);
  }

  /** All that is still compared; `over` are quarters that no longer are, and are forgotten here. */
  all(nowMs: number): { counts: AcceptedCount[]; over: number[] } {
    const over = [...this.counts.keys()].filter((quarterMs) => quarterMs < nowMs - ACCEPTED_TTL_S * 1000);
    for (const quarterMs of over) this.counts.delete(quarterMs);
    return { counts: [...this.counts].map(([quarterMs, operations]) => ({ kind: 'accepted', quarterMs, operations })), over };
  }

  private add({ receivedAtMs }: Counted): void {
    const quarterMs = quarterOf(receivedAtMs);
    this.counts.set(quarterMs, (this.counts.get(quarterMs) ?? 0) + 1);
  }

  private of({ receivedAtMs }: Counted): AcceptedCount {
    const quarterMs = quarterOf(receivedAtMs);
    return { kind: 'accepted', quarterMs, operations: this.counts.get(quarterMs) ?? 0 };
  }
}
