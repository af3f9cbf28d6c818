import type { Random } from '../random.ts';

/** One parser, what it is fed with, and what has to hold of it. */
export interface ParserTarget {
  name: string;
  /** What cases are made of. */
  seeds: readonly Buffer[];
  /** What means something to this parser. */
  words?: readonly string[];
  /** Throws when something does not hold. Whatever a parser throws by design is not let through. */
  run(bytes: Buffer, random: Random): void;
  /** Processor time that one case may take, in milliseconds, where it is more than what clients and providers may cost. */
  mostCpuMs?: number;
}

export const texts = (...seeds: (string | object)[]): Buffer[] => seeds.map((seed) => Buffer.from(typeof seed === 'string' ? seed : JSON.stringify(seed)));

type ErrorClass = abstract new (...args: never[]) => Error;

/** What a step gives, or null where it refuses by one of these errors; any other error goes on. */
export function orRefused<T>(step: () => T, ...refusals: ErrorClass[]): T | null {
  try {
    return step();
  } catch (error) {
    if (refusals.some((refusal) => error instanceof refusal)) return null;
    throw error;
  }
}

/** What a step gives, or the words it refuses with. */
export function outcome<T>(step: () => T, ...refusals: ErrorClass[]): { value: T } | { refused: string } {
  try {
    return { value: step() };
  } catch (error) {
    if (error instanceof Error && refusals.some((refusal) => error instanceof refusal)) return { refused: error.message };
    throw error;
  }
}

export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

export function same(one: unknown, other: unknown, what: string): void {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
  if (a !== b) throw new Error(`${what}: ${a?.slice(0, 300)} is not ${b?.slice(0, 300)}`);
}

/** JSON of these bytes; undefined where they are none. */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
