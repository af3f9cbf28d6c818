import type { Work } from '@deja/content-safety';
import { AttemptFailure } from '../attempt/failure.ts';

/** So long one inspection, or one after the other, keeps everybody else waiting. */
const TURN_MS = 10;
/** And so long one that has just come, where others wait for their next turn. */
const FIRST_TURN_MS = 1;

/** An operation, asked anew each time: it makes its signal only for those who ask. */
interface Wanted {
  readonly signal: AbortSignal;
}

interface Waiting {
  go: () => boolean;
  wanted: Wanted;
  reject: (error: unknown) => void;
}

/**
 * Gives long inspections the processor in turns: between two of them everything else that this process has to do goes on, however many
 * inspections there are. Most take less than a turn and are done at once, without a promise.
 */
export class Turns {
  private readonly waiting: Waiting[] = [];

  /** `nowMs`: a steady clock. `later`: calls back when whatever else is ready had its turn. */
  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly later: (next: () => void) => void = setImmediate,
  ) {}

  /** The result, or a promise of it. Throws, or rejects with, what the work throws; rejects with `cancelled` when nobody waits for it any more. */
  run<T>(work: Work<T>, wanted: Wanted): T | Promise<T> {
    const first = this.turn(work, this.waiting.length === 0 ? TURN_MS : FIRST_TURN_MS);
    if (first.done === true) return first.value;
    return new Promise<T>((resolve, reject) => {
      const go = (): boolean => {
        const { done, value } = this.turn(work, TURN_MS);
        if (done === true) resolve(value);
        return done === true;
      };
      this.waiting.push({ go, wanted, reject });
      if (this.waiting.length === 1) this.later(this.next);
    });
  }

  private turn<T>(work: Work<T>, ms: number): IteratorResult<undefined, T> {
    const untilMs = this.nowMs() + ms;
    for (;;) {
      const step = work.next();
      if (step.done === true || this.nowMs() >= untilMs) return step;
    }
  }

  private readonly next = (): void => {
    const one = this.waiting.shift();
    if (one !== undefined && !this.isOver(one)) this.waiting.push(one);
    if (this.waiting.length > 0) this.later(this.next);
  };

  private isOver({ go, wanted, reject }: Waiting): boolean {
    try {
      if (wanted.signal.aborted) throw new AttemptFailure('cancelled');
      return go();
    } catch (error) {
      reject(error);
      return true;
    }
  }
}
