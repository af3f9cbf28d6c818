import type { MemorySample } from './evidence.ts';

/** MiB at the beginning and the end of the second half of a life, by a straight line through all samples. */
export interface Course {
  from: number;
  to: number;
  isFlat: boolean;
}

/** One process as long as it lived. */
export interface Memory {
  process: string;
  /** From where to where it was looked at. */
  minutes: { from: number; to: number };
  resident: Course;
  /** null where it could not be looked into often enough. */
  live: Course | null;
}

/** Of a shorter life nothing is to be said: heaps grow until they are collected. */
const LEAST_MINUTES = 4;
const LEAST_SAMPLES = 3;
/** What may still be gained in the second half of a life: by a heap, its caches and its connections; and by what is live alone. */
const GROWTH = { resident: { share: 0.2, mib: 40 }, live: { share: 0.2, mib: 10 } };
const MINUTE_MS = 60_000;

/** Of every process that lived long enough, whether its memory is flat by then. */
export function memoryOf(samples: readonly MemorySample[]): Memory[] {
  return [...Map.groupBy(samples, ({ process, pid }) => `${process} (${pid})`).values()].flatMap((life) => {
    const [first, last] = [life[0], life.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < 2 * LEAST_MINUTES * MINUTE_MS) return [];
    const half = life.filter(({ atMs }) => atMs >= (first.atMs + last.atMs) / 2);
    const minutes = { from: ((half[0]?.atMs ?? 0) - first.atMs) / MINUTE_MS, to: (last.atMs - first.atMs) / MINUTE_MS };
    const course = (of: MemorySample['of']): Course | null => {
      const points = half.filter((one) => one.of === of).map(({ atMs, mib }) => [(atMs - first.atMs) / MINUTE_MS, mib] as const);
      if (points.length < LEAST_SAMPLES) return null;
      const line = lineThrough(points);
      const [from, to] = [line(minutes.from), line(minutes.to)];
      return { from, to, isFlat: to - from <= Math.max(GROWTH[of].mib, GROWTH[of].share * from) };
    };
    const resident = course('resident');
    return resident === null ? [] : [{ process: first.process, minutes, resident, live: course('live') }];
  });
}

/** What is to be said of memory that goes on growing, or could not be seen; empty where all is flat. */
export function growing(memory: readonly Memory[]): string[] {
  return memory.flatMap(({ process, minutes, ...courses }) =>
    (['resident', 'live'] as const).flatMap((of) => {
      const course = courses[of];
      if (course === null) return [`live memory of ${process} could not be looked at often enough`];
      return course.isFlat ? [] : [`${of} memory of ${process}: ${course.from.toFixed(0)} MiB after ${minutes.from.toFixed(1)} minutes, ${course.to.toFixed(0)} after ${minutes.to.toFixed(1)}`];
    }),
  );
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
