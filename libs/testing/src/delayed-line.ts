import type { Socket } from 'node:net';

/** Bytes on their way to a socket: each piece arrives after its delay, and none overtakes another. */
export class DelayedLine {
  readonly #to: Socket;
  readonly #waiting: { data: Buffer; atMs: number }[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isEnding = false;

  constructor(to: Socket) {
    this.#to = to;
  }

  write(data: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.#waiting.length === 0) return void this.#to.write(data);
    this.#waiting.push({ data, atMs: performance.now() + delayMs });
    this.#look();
  }

  /** The socket ends when it has what is on its way. */
  end(): void {
    this.#isEnding = true;
    if (this.#waiting.length === 0) this.#to.destroySoon();
  }

  #look(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#deliver(), Math.max(0, first.atMs - performance.now()));
  }

  #deliver(): void {
    this.#timer = null;
    for (let [first] = this.#waiting; first !== undefined && first.atMs <= performance.now(); [first] = this.#waiting) {
      this.#waiting.shift();
      this.#to.write(first.data);
    }
    if (this.#isEnding && this.#waiting.length === 0) this.#to.destroySoon();
    else this.#look();
  }
}
