import { LOOK_EVERY_MS, LOOKS } from './bounds.ts';

/** How late the event loop runs what is due, from the moments at which a timer of LOOK_EVERY_MS fired. No clock of its own. */
export class Lateness {
  private readonly looks = Array.from({ length: LOOKS }, () => 0);
  private at = 0;
  private lastMs: number;

  /** @param nowMs of a clock that never goes back */
  constructor(nowMs: number) {
    this.lastMs = nowMs;
  }

  /** The timer fired. */
  look(nowMs: number): void {
    this.looks[this.at] = Math.max(0, nowMs - this.lastMs - LOOK_EVERY_MS);
    this.at = (this.at + 1) % LOOKS;
    this.lastMs = nowMs;
  }

  /** The smallest of the last looks, ms: the loop was at least as late in each of them. */
  get ms(): number {
    return Math.min(...this.looks);
  }
}
