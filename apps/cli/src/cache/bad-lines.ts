import { CliFailure, EXIT } from '../failure.ts';

export interface BadLine {
  line: number;
  /** What is wrong with it, to be read after "line 7". */
  problem: string;
}

const NAMED = 20;

/** Lines that could not be read: all are counted, the first ones named. */
export class BadLines {
  count = 0;
  readonly first: BadLine[] = [];

  add(line: number, problem: string): void {
    this.count++;
    if (this.first.length < NAMED) this.first.push({ line, problem });
  }

  /** Throws a CliFailure where nothing else was there. `what` is what a line should have been. */
  orNone(readable: number, file: string, what: string): void {
    if (readable > 0) return;
    if (this.count === 0) throw new CliFailure(EXIT.usage, `${file} is empty.`);
    throw new CliFailure(EXIT.usage, `${file} has no line that can be read as ${what}.`, this.described(3));
  }

  /** A line each, of the first ones. */
  described(most: number): string[] {
    const lines = this.first.slice(0, most).map(({ line, problem }) => `line ${line} ${problem}`);
    return this.count > lines.length ? [...lines, `and ${this.count - lines.length} more`] : lines;
  }
}
