import { isObject, parsedJson } from './json.ts';

/** Two questions, and whether they ask the same. */
export interface LabelledPair {
  a: string;
  b: string;
  same: boolean;
  /** As what the pair was made or chosen; null: not said. */
  kind: string | null;
}

const LABELS = new Map<unknown, boolean>([[true, true], [false, false], [1, true], [0, false], ['1', true], ['0', false], ['true', true], ['false', false]]);

/** Reads `{"a", "b", "same", "kind"?}` or `{"text_a", "text_b", "label", "kind"?}`; labels may be 0 and 1. Returns what is wrong with any other line. */
export function labelledPair(text: string): LabelledPair | { problem: string } {
  const line = parsedJson(text);
  if (!isObject(line)) return { problem: 'is no JSON object' };
  const [a, b] = [line['a'] ?? line['text_a'], line['b'] ?? line['text_b']];
  if (typeof a !== 'string' || typeof b !== 'string') return { problem: 'has no two texts: a and b' };
  const same = LABELS.get(line['same'] ?? line['label']);
  if (same === undefined) return { problem: 'does not say whether they are the same: same' };
  const { kind } = line;
  return { a, b, same, kind: typeof kind === 'string' && kind !== '' ? kind : null };
}
