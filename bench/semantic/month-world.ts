import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { normaliseText } from '@deja/cache-key';
import type { StaticEmbedder } from '@deja/similarity';

/** Neighbours farther than this are no candidates; as in apps/semantic-cache. */
const FLOOR = 0.5;

/** One pair of bench/semantic/data/pairs.jsonl.gz. `same`: both ask for the same answer. */
export interface Pair {
  a: string;
  b: string;
  same: boolean;
  kind: string;
}

/** A question that is asked in several ways, and near misses that ask something else. */
export interface Topic {
  /** Texts that share one answer; the first is the commonest. */
  repeats: number[];
  /** Texts that look alike and need another answer. */
  traps: number[];
}

/** Texts are numbered. */
export interface World {
  texts: string[];
  /** Exact cache: texts of one number are the same to it. */
  normalised: number[];
  /** The oracle: texts have the same answer when their numbers here are equal. */
  answer: number[];
  topics: Topic[];
  /** Of each text: all others with a cosine of FLOOR or more, nearest first. */
  neighbours: { text: number; cosine: number }[][];
}

export async function readPairs(): Promise<Pair[]> {
  const lines = gunzipSync(await readFile(new URL('data/pairs.jsonl.gz', import.meta.url))).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Pair);
}

/** At most `maxTopics` topics, spread evenly over the pairs; only those that are asked in more than one way. */
export function worldOf(pairs: readonly Pair[], embedder: StaticEmbedder, maxTopics: number): World {
  const groups = groupsOf(pairs);
  const chosen = groups.filter(({ repeats }) => repeats.length > 1);
  const step = Math.max(1, chosen.length / maxTopics);
  const world: World = { texts: [], normalised: [], answer: [], topics: [], neighbours: [] };
  const vectors: Float32Array[] = [];
  const numberOf = new Map<string, number>();
  const answers = new Map<string, number>();
  const add = (text: string, answerKey: string): number[] => {
    if (numberOf.has(text)) return [];
    const { vector } = embedder.embed(normaliseText(text));
    if (vector === null) return [];
    const number = world.texts.push(text) - 1;
    numberOf.set(text, number);
    vectors.push(vector);
    world.normalised.push(idOf(answers, `text ${normaliseText(text)}`));
    world.answer.push(idOf(answers, answerKey));
    return [number];
  };
  for (let at = 0; at < chosen.length; at += step) {
    const group = chosen[Math.floor(at)];
    if (group === undefined) break;
    const repeats = group.repeats.flatMap((text) => add(text, `group ${group.id}`));
    const traps = group.traps.flatMap(({ text, id }) => add(text, `group ${id}`));
    if (repeats.length > 0) world.topics.push({ repeats, traps });
  }
  world.neighbours = neighboursOf(vectors);
  return world;
}

function idOf(ids: Map<string, number>, key: string): number {
  const id = ids.get(key) ?? ids.size;
  ids.set(key, id);
  return id;
}

interface Group {
  id: string;
  repeats: string[];
  traps: { text: string; id: string }[];
}

/** Texts joined by `same` pairs are one group; the other side of each pair that is not the same is a trap of it. */
function groupsOf(pairs: readonly Pair[]): Group[] {
  const parent = new Map<string, string>();
  const rootOf = (text: string): string => {
    let root = text;
    for (let next = parent.get(root); next !== undefined && next !== root; next = parent.get(root)) root = next;
    parent.set(text, root);
    return root;
  };
  for (const { a, b, same } of pairs) if (same) parent.set(rootOf(b), rootOf(a));
  const groups = new Map<string, Group>();
  const groupOf = (text: string): Group => {
    const id = rootOf(text);
    const group = groups.get(id) ?? { id, repeats: [], traps: [] };
    groups.set(id, group);
    if (!group.repeats.includes(text)) group.repeats.push(text);
    return group;
  };
  for (const { a, b, same } of pairs) {
    const group = groupOf(a);
    if (same) groupOf(b);
    else if (rootOf(b) !== group.id) group.traps.push({ text: b, id: rootOf(b) });
  }
  return [...groups.values()];
}

/** Exact: every pair is compared, once for all seeds. */
function neighboursOf(vectors: readonly Float32Array[]): World['neighbours'] {
  const neighbours: World['neighbours'] = vectors.map(() => []);
  for (const [i, a] of vectors.entries()) {
    for (let j = 0; j < i; j++) {
      const cosine = dot(a, vectors[j] ?? a);
      if (cosine < FLOOR) continue;
      neighbours[i]?.push({ text: j, cosine });
      neighbours[j]?.push({ text: i, cosine });
    }
  }
  for (const list of neighbours) list.sort((a, b) => b.cosine - a.cosine);
  return neighbours;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] ?? 0) * (b[k] ?? 0);
  return sum;
}
