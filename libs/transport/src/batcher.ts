export interface BatcherOptions<T, Reply> {
  /** Sends items together. Never called with none. */
  send: (items: readonly T[]) => Promise<Reply>;
  /** How soon after one sending the next may follow, milliseconds. With 0 what comes in one turn of the event loop goes together. */
  everyMs: number;
  /** So many are sent without waiting for more. */
  most: number;
}

interface Batch<T, Reply> {
  items: T[];
  sent: PromiseWithResolvers<Reply>;
}

/** Sends by itself what comes by itself, and together what comes in quick succession: nothing waits while little is going on, and a round trip is shared when much is. In the order in which it came. */
export class Batcher<T, Reply> {
  private readonly o: BatcherOptions<T, Reply>;
  private next: Batch<T, Reply> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private soon: NodeJS.Immediate | null = null;
  private readonly underWay = new Set<Promise<void>>();
  private lastMs = -Infinity;

  constructor(options: BatcherOptions<T, Reply>) {
    this.o = options;
  }

  /** Resolves to what `send` said of the items that went together, and the place of this one among them. Rejects as `send` does. */
  async add(item: T): Promise<{ reply: Reply; place: number }> {
    const batch = (this.next ??= this.begun());
    const place = batch.items.push(item) - 1;
    if (batch.items.length >= this.o.most) this.send();
    return { reply: await batch.sent.promise, place };
  }

  /** Sends what waits now; resolves when all that was sent has been answered, well or not. */
  async flush(): Promise<void> {
    this.send();
    await Promise.all(this.underWay);
  }

  private begun(): Batch<T, Reply> {
    const waitMs = this.lastMs + this.o.everyMs - performance.now();
    if (waitMs > 0) this.timer = setTimeout(() => this.send(), waitMs);
    else this.soon = setImmediate(() => this.send());
    return { items: [], sent: Promise.withResolvers<Reply>() };
  }

  private send(): void {
    const batch = this.next;
    if (batch === null) return;
    this.next = null;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.soon !== null) clearImmediate(this.soon);
    [this.timer, this.soon] = [null, null];
    this.lastMs = performance.now();
    const answered = this.o.send(batch.items).then(batch.sent.resolve, batch.sent.reject).finally(() => this.underWay.delete(answered));
    this.underWay.add(answered);
  }
}
