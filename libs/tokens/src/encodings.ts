import { setImmediate as nextTurn } from 'node:timers/promises';
import { CL100K_TOKEN_SPLIT_REGEX, O200K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';
import { bytePairCounter, isAscii } from './byte-pairs.ts';
import type { Encoding } from './models.ts';

export type Counter = (text: string) => number;
/** Tokens by rank; as text, or as bytes where they are no text by themselves. */
type Vocabulary = readonly (string | readonly number[])[];

const SOURCES: Record<Encoding, { load: () => Promise<{ default: Vocabulary }>; pattern: RegExp }> = {
  o200k_base: { load: () => import('gpt-tokenizer/bpeRanks/o200k_base'), pattern: O200K_TOKEN_SPLIT_REGEX },
  cl100k_base: { load: () => import('gpt-tokenizer/bpeRanks/cl100k_base'), pattern: CL100K_TOKEN_SPLIT_REGEX },
};
const TOKENS_PER_TURN = 16_384;

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
  const { default: vocabulary } = await read();
  const ranks = new Map<string, number>();
  let rank = 0;
  for (const token of vocabulary) {
    if (typeof token === 'string') ranks.set(isAscii(token) ? token : Buffer.from(token).toString('latin1'), rank);
    else if (token) ranks.set(String.fromCharCode(...token), rank); // a few ranks are nobody's
    rank += 1;
    if (rank % TOKENS_PER_TURN === 0) await nextTurn();
  }
  return bytePairCounter(ranks, pattern);
}
