import { CL100K_TOKEN_SPLIT_REGEX, O200K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';
import { bytePairCounter } from './byte-pairs.ts';
import type { Encoding } from './models.ts';
import { Vocabulary } from './vocabulary.ts';

export type Counter = (text: string) => number;

const SOURCES: Record<Encoding, { load: () => Promise<{ default: string }>; pattern: RegExp }> = {
  o200k_base: { load: () => import('./o200k.prebuilt.ts'), pattern: O200K_TOKEN_SPLIT_REGEX },
  cl100k_base: { load: () => import('./cl100k.prebuilt.ts'), pattern: CL100K_TOKEN_SPLIT_REGEX },
};

const loaded = new Map<Encoding, Promise<Counter>>();

/** The counter of an encoding. Its megabytes of vocabulary are read when it is first asked for, and kept. */
export function counterFor(encoding: Encoding): Promise<Counter> {
  const known = loaded.get(encoding);
  if (known) return known;
  const counter = load(encoding);
  loaded.set(encoding, counter);
  counter.catch(() => loaded.delete(encoding));
  return counter;
}

async function load(encoding: Encoding): Promise<Counter> {
  const { load: read, pattern } = SOURCES[encoding];
  const { default: packed } = await read();
  return bytePairCounter(await Vocabulary.read(packed), pattern);
}
