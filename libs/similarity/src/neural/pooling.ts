import type { Floats } from './inference-protocol.ts';

/** How one vector is made of one vector for each token: their mean, or the first, which is [CLS]. */
export type Pooling = 'mean' | 'first';

/**
 * The vector of one text, of length 1, from a model's answer: [1, dimensions], which is pooled already, or [1, time, dimensions]
 * without padding. Null for the zero vector and for what is not a number.
 */
export function pooled({ dims, data }: Floats, pooling: Pooling): Float32Array | null {
  const dimensions = dims.at(-1) ?? 0;
  const rows = dims.length === 3 && pooling === 'mean' ? (dims[1] ?? 0) : 1;
  const sum = new Float64Array(dimensions);
  for (let i = 0; i < rows * dimensions; i++) sum[i % dimensions] = (sum[i % dimensions] ?? 0) + (data[i] ?? Number.NaN);
  const length = Math.hypot(...sum);
  return length > 0 && Number.isFinite(length) ? Float32Array.from(sum, (x) => x / length) : null;
}
