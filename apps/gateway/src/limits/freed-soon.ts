import { setTimeout as delay } from 'node:timers/promises';
import type { ShardVerdict } from './shard-verdict.ts';

type Refused = Extract<ShardVerdict, { kind: 'refused' }>;

export interface FreedSoonParts {
  /** In [0, 1). */
  random: () => number;
  /** Real time unless given. */
  wait?: (ms: number) => Promise<unknown>;
}

/** After so long, and up to half as long again, it is asked once more. */
const AGAIN_AFTER_MS = [8, 16, 32];
/** So many wait at a time in this process, for one limit and for all. */
const MOST_FOR_ONE = 64;
const MOST = 256;

/**
 * A second chance for who is refused by concurrency alone. A client has its answer a moment before its place is free in Redis: settlement follows the answer, and
 * by another gateway process the client's next request may be there before it. Whoever sends one request after another, or as many at once as the limit allows, is
 * never refused for that. As no more than the limit can be such clients, no more than the limit wait here; the rest of a flood is refused as it comes.
 */
export class FreedSoon {
  private readonly waiting = new Map<string, number>();
  private readonly parts: FreedSoonParts;
  private all = 0;

  constructor(parts: FreedSoonParts) {
    this.parts = parts;
  }

  /** The verdict that counts. A refusal has charged nothing, so that `ask` may ask again; null: Redis says nothing, and the refusal stands. */
  async verdict(refused: Refused, ask: () => Promise<ShardVerdict | null>): Promise<ShardVerdict> {
    const slot = slotOf(refused);
    if (slot === null || !this.enter(slot)) return refused;
    try {
      return await this.askAgain(refused, ask);
    } finally {
      this.leave(slot.counter);
    }
  }

  private async askAgain(refused: Refused, ask: () => Promise<ShardVerdict | null>): Promise<ShardVerdict> {
    const { random, wait = delay } = this.parts;
    let verdict: ShardVerdict = refused;
    for (const ms of AGAIN_AFTER_MS) {
      await wait(ms * (1 + random() / 2));
      const again = await ask();
      if (again === null) return verdict;
      verdict = again;
      if (slotOf(verdict) === null) return verdict;
    }
    return verdict;
  }

  private enter({ counter, limit }: Slot): boolean {
    const waiting = this.waiting.get(counter) ?? 0;
    if (waiting >= Math.min(limit, MOST_FOR_ONE) || this.all >= MOST) return false;
    this.waiting.set(counter, waiting + 1);
    this.all += 1;
    return true;
  }

  private leave(counter: string): void {
    const waiting = (this.waiting.get(counter) ?? 0) - 1;
    if (waiting > 0) this.waiting.set(counter, waiting);
    else this.waiting.delete(counter);
    this.all -= 1;
  }
}

interface Slot {
  counter: string;
  limit: number;
}

/** What is full and may be free again at any moment; null where something else refuses, or it never fits. */
function slotOf(verdict: ShardVerdict): Slot | null {
  if (verdict.kind !== 'refused' || verdict.waitMs < 0 || 'budget' in verdict.by || verdict.by.measure !== 'concurrency') return null;
  const { counter, limits } = verdict.by.ceiling;
  return { counter, limit: limits.concurrency ?? 0 };
}
