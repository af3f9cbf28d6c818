import { inspect } from 'node:util';

/** A value that must not be seen. Whatever prints it (a template, JSON, a log, an inspection of the object around it) shows a mask; only `reveal` gives it out. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value in clear: call it where the value leaves for its one destination, nowhere earlier. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** What stands in the place of a secret that was printed. */
export const MASK = '[secret]';
