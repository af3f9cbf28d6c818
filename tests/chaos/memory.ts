import type { MemorySample } from './evidence.ts';

/** One process as long as it lived, from its second half on. */
export interface Memory {
  process: string;
  minutes: number;
  /** At the beginning and the end of that half, by a straight line through all samples. */
  fromMib: number;
  toMib: number;
  isFlat: boolean;
  sentence: string;
}

/** Of a shorter life nothing is to be said: heaps grow until they are collected. */
const LEAST_MINUTES = 4;
/** What a heap, its caches and its connections may still gain in the second half of a life. */
const GROWTH = { share: 0.2, mib: 40 };
const MINUTE_MS = 60_000;

/** Of every process that lived long enough, whether its memory is flat by then. */
export function memoryOf(samples: readonly MemorySample[]): Memory[] {
  return [...Map.groupBy(samples, ({ process, pid }) => `${process} (${pid})`).values()].flatMap((life) => {
    const [first, last] = [life[0], life.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < 2 * LEAST_MINUTES * MINUTE_MS) return [];
    const half = life.filter(({ atMs }) => atMs >= (first.atMs + last.atMs) / 2);
    const line = lineThrough(half.map(({ atMs, mib }) => [(atMs - first.atMs) / MINUTE_MS, mib]));
    const [from, to] = [half[0]?.atMs ?? 0, last.atMs].map((atMs) => (atMs - first.atMs) / MINUTE_MS) as [number, number];
    const [fromMib, toMib] = [line(from), line(to)];
    const isFlat = toMib - fromMib <= Math.max(GROWTH.mib, GROWTH.share * fromMib);
    return [{ process: first.process, minutes: to, fromMib, toMib, isFlat, sentence: `${fromMib.toFixed(0)} MiB after ${from.toFixed(1)} minutes, ${toMib.toFixed(0)} after ${to.toFixed(1)}` }];
  });
}

/** By least squares. */
function lineThrough(points: readonly (readonly [x: number, y: number])[]): (x: number) => number {
  const n = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = spread === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  return (x) => meanY + slope * (x - meanX);
}
