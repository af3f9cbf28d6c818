import { mutated } from './mutate.ts';
import { MESSAGE_PARSERS } from './parsers/messages.ts';
import { REPLY_PARSERS } from './parsers/replies.ts';
import { REQUEST_PARSERS } from './parsers/requests.ts';
import { SETTING_PARSERS } from './parsers/settings.ts';
import type { ParserTarget } from './parsers/target.ts';
import { Random, seedOf } from './random.ts';

export const PARSERS: readonly ParserTarget[] = [...REQUEST_PARSERS, ...REPLY_PARSERS, ...MESSAGE_PARSERS, ...SETTING_PARSERS];

/** Processor time that one case may take, in milliseconds: far more than the slowest parser needs for 64 KiB, far less than a loop that is quadratic. */
const MOST_CPU_MS = 250;
/** A pause of the collector or the compiler is none of the parser's: the least of so many tries counts. */
const TRIES = 4;
const MOST_FAILURES_PER_TARGET = 5;

export interface ParserFailure {
  target: string;
  seed: number;
  n: number;
  what: string;
  /** The case itself. */
  bytes: Buffer;
}

export interface ParserRunOptions {
  seed: number;
  /** By target: a round of cases each, until this says that it is enough. */
  done: (cases: number) => boolean;
  targets?: readonly ParserTarget[];
  /** So many times the time is allowed; 1 unless said. */
  slack?: number;
  /** Told before each case, so that one which never ends can be named from outside. */
  begins?: (target: number, n: number) => void;
  failed?: (failure: ParserFailure) => void;
}

const ROUND = 20;

/** Feeds every parser with made-up cases in turn; the same seed makes the same cases. Resolves to how many each got, and what failed. */
export function runParsers({ seed, done, targets = PARSERS, slack = 1, begins, failed }: ParserRunOptions): { cases: Record<string, number>; failures: ParserFailure[] } {
  const cases: Record<string, number> = Object.fromEntries(targets.map(({ name }) => [name, 0]));
  const failures: ParserFailure[] = [];
  let total = 0;
  while (!done(total)) {
    for (const [number, target] of targets.entries()) {
      for (let i = 0; i < ROUND && !done(total); i++, total++) {
        const n = cases[target.name] ?? 0;
        cases[target.name] = n + 1;
        begins?.(number, n);
        const failure = parserCase(target, seed, n, slack);
        if (failure === null || failures.filter((other) => other.target === target.name).length >= MOST_FAILURES_PER_TARGET) continue;
        if (failures.some((other) => other.target === target.name && other.what.slice(0, 60) === failure.what.slice(0, 60))) continue;
        failures.push(failure);
        failed?.(failure);
      }
    }
  }
  return { cases, failures };
}

/** One case by its number; null when all holds. */
export function parserCase(target: ParserTarget, seed: number, n: number, slack = 1): ParserFailure | null {
  const bytes = mutated(new Random(seedOf(seed, target.name, n)), target.seeds, target.words);
  const what = complaint(target, bytes, seedOf(seed, target.name, -n - 1), slack);
  return what === null ? null : { target: target.name, seed, n, what, bytes };
}

/** What does not hold of a parser for these bytes; null when all does. @param slack so many times the time is allowed: a test on a busy machine looks for what never ends */
export function complaint(target: ParserTarget, bytes: Buffer, seed: number, slack = 1): string | null {
  const before = prototypes();
  const mostMs = slack * (target.mostCpuMs ?? MOST_CPU_MS);
  let leastMs = Infinity;
  for (let tries = 0; tries < TRIES && leastMs > mostMs; tries++) {
    const start = process.threadCpuUsage();
    try {
      target.run(Buffer.from(bytes), new Random(seed));
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.message} ${error.stack?.split('\n').find((line) => line.includes('/src/'))?.trim() ?? ''}` : String(error);
    } finally {
      const { user, system } = process.threadCpuUsage(start);
      leastMs = Math.min(leastMs, (user + system) / 1000);
    }
    if (prototypes() !== before) return `a prototype was changed: ${before} became ${prototypes()}`;
  }
  return leastMs > mostMs ? `took ${Math.round(leastMs)} ms of processor time` : null;
}

/** What every object has, whatever is done to it. */
const prototypes = (): string => [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((prototype) => Reflect.ownKeys(prototype).length).join();
