import { readFileSync } from 'node:fs';

/** What an app's process held at one moment. MiB. */
export interface Sample {
  /** Requests answered by then. */
  requests: number;
  rssMiB: number;
  /** Of JavaScript, garbage that was not collected yet included. */
  heapMiB: number;
}

/** Resident set of a process; NaN when it is gone. */
export function rssMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** By the app's own metrics. */
export async function heapMiB(opsPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  return Number(/^v8js_memory_heap_used(?:_bytes)?(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1] ?? Number.NaN) / 2 ** 20;
}

/** The slope of the line through the points by least squares, in y's unit for each of x's; NaN of fewer than two different x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const [products, squares] = points.reduce(([p, s], [px, py]) => [p + (px - x) * (py - y), s + (px - x) ** 2] as const, [0, 0] as const);
  return squares === 0 ? Number.NaN : products / squares;
}

/** Of the last quarter of the requests: how many MiB more each 100,000 requests left behind. */
export function lastQuarter(samples: readonly Sample[], of: 'rssMiB' | 'heapMiB'): number {
  const from = (samples.at(-1)?.requests ?? 0) * 0.75;
  return slope(samples.filter(({ requests }) => requests >= from).map((sample) => [sample.requests, sample[of]])) * 100_000;
}
