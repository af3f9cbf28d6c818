import type { GivenVector } from '@deja/contracts';

/** A vector and what made it: vectors of different embedders never meet. */
export interface NamedVector {
  embedder: string;
  values: Float32Array;
}

const BYTES = 4;

/** A vector that came in a message, scaled to length 1; null for what is none. */
export function readVector({ embedder, values }: GivenVector): NamedVector | null {
  const bytes = Buffer.from(values, 'base64');
  if (bytes.length === 0 || bytes.length % BYTES !== 0) return null;
  const vector = new Float32Array(bytes.length / BYTES);
  let squares = 0;
  for (let j = 0; j < vector.length; j++) {
    const x = bytes.readFloatLE(j * BYTES);
    vector[j] = x;
    squares += x * x;
  }
  if (!Number.isFinite(squares) || squares === 0) return null;
  const factor = 1 / Math.sqrt(squares);
  for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] ?? 0) * factor;
  return { embedder, values: vector };
}

/** The same, to go into a message. */
export function writeVector({ embedder, values }: NamedVector): GivenVector {
  const bytes = Buffer.alloc(values.length * BYTES);
  for (const [j, x] of values.entries()) bytes.writeFloatLE(x, j * BYTES);
  return { embedder, values: bytes.toString('base64') };
}
