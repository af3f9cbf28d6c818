import { percentiles } from '../added-latency/report.ts';
import type { Sent, Step } from './work.ts';

/** Of one step of the open loop. Times in ms, from when a request was due. */
export interface StepFigures {
  name: string;
  offeredPerSecond: number;
  /** Of requests that were due in it: answered with status 200 before the step was over. What an earlier step left behind is none of its work. */
  goodputPerSecond: number;
  /** Of interactive and of batch requests that were due in it: answered with status 200, whenever that was. */
  answered: { interactive: number; batch: number };
  due: { interactive: number; batch: number };
  /** Of answers with status 200 to interactive requests; NaN without any. */
  p50Ms: number;
  p99Ms: number;
  /** Answers with status 503. */
  refused: number;
  refusedWithRetryAfter: number;
  /** Answers with any other status. */
  others: number;
  /** Those that got no answer. */
  failed: number;
  /** From the step's beginning to when the last one that was not answered with 200 had been due; 0 where all were. */
  troubledForMs: number;
}

/** One second of the open loop, for the figure. */
export interface Second {
  offered: number;
  answered: number;
  refused: number;
  /** Of interactive requests that were due in it and answered with 200; null without any. */
  p99Ms: number | null;
}

const isAnswered = ({ status }: Sent): boolean => status === 200;

/** What became of the requests that were due in each step. */
export function stepFigures(steps: readonly Step[], sent: readonly Sent[]): StepFigures[] {
  let untilMs = 0;
  return steps.map(({ name, durationMs }) => {
    const fromMs = untilMs;
    untilMs += durationMs;
    const [from, until] = [fromMs, untilMs];
    const dueIn = sent.filter(({ dueMs }) => dueMs >= from && dueMs < until);
    const answered = dueIn.filter(isAnswered);
    const refused = dueIn.filter(({ status }) => status === 503);
    const failed = dueIn.filter(({ status }) => status === 0).length;
    const inTime = answered.filter(({ endMs }) => endMs < until).length;
    const { p50, p99 } = percentiles(answered.filter(({ isBatch }) => !isBatch).map(tookMs));
    return {
      name, offeredPerSecond: perSecond(dueIn.length, durationMs), goodputPerSecond: perSecond(inTime, durationMs),
      answered: byPriority(answered), due: byPriority(dueIn), p50Ms: p50, p99Ms: p99,
      refused: refused.length, refusedWithRetryAfter: refused.filter(({ hasRetryAfter }) => hasRetryAfter).length,
      others: dueIn.length - answered.length - refused.length - failed, failed,
      troubledForMs: dueIn.reduce((last, one) => (isAnswered(one) ? last : Math.max(last, one.dueMs - from)), 0),
    };
  });
}

/** The same by the second; what is left of a second at the end is not told. */
export function secondsOf(steps: readonly Step[], sent: readonly Sent[]): Second[] {
  const count = Math.floor(steps.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000);
  const due = Array.from({ length: count }, (): Sent[] => []);
  const ended = Array.from({ length: count }, (): Sent[] => []);
  for (const one of sent) {
    due[Math.floor(one.dueMs / 1000)]?.push(one);
    ended[Math.floor(one.endMs / 1000)]?.push(one);
  }
  return due.map((dueIn, at) => {
    const took = dueIn.filter((one) => isAnswered(one) && !one.isBatch).map(tookMs);
    const endedIn = ended[at] ?? [];
    return { offered: dueIn.length, answered: endedIn.filter(isAnswered).length, refused: endedIn.filter(({ status }) => status === 503).length, p99Ms: took.length === 0 ? null : percentiles(took).p99 };
  });
}

const tookMs = ({ dueMs, endMs }: Sent): number => endMs - dueMs;
const perSecond = (count: number, durationMs: number): number => (count * 1000) / durationMs;

function byPriority(requests: readonly Sent[]): { interactive: number; batch: number } {
  const batch = requests.filter(({ isBatch }) => isBatch).length;
  return { interactive: requests.length - batch, batch };
}
