import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { normaliseText } from '@deja/cache-key';
import type { StaticEmbedder } from '@deja/similarity';

/** Neighbours farther than this are no candidates; as in apps/semantic-cache. */
const FLOOR = 0.5;

/** Topics with nearer questions might be one topic. */
const APART = 0.6;

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

/**
 * At most `maxTopics` topics that are asked in more than one way. What the data does not say, the oracle cannot know: whether questions of two
 * topics, or two traps of one topic, happen to be the same. So a topic that is near to one already chosen is left out, and each has one trap.
 */
export function worldOf(pairs: readonly Pair[], embedder: StaticEmbedder, maxTopics: number): World {
  const world: World = { texts: [], normalised: [], answer: [], topics: [], neighbours: [] };
  const vectors: Float32Array[] = [];
  const normalised = new Map<string, number>();
  for (const { repeats, traps } of groupsOf(pairs)) {
    if (world.topics.length === maxTopics) break;
    const trap = traps[repeats.length % Math.max(1, traps.length)];
    const members = [...repeats.map((text) => ({ text, same: true })), ...(trap === undefined ? [] : [{ text: trap, same: false }])]
      .flatMap(({ text, same }) => {
        const { vector } = embedder.embed(normaliseText(text));
        return vector === null ? [] : [{ text, same, vector }];
      });
    if (members.filter(({ same }) => same).length < 2 || members.some(({ vector }) => vectors.some((other) => dot(vector, other) >= APART))) continue;
    const topic: Topic = { repeats: [], traps: [] };
    for (const { text, same, vector } of members) {
      (same ? topic.repeats : topic.traps).push(world.texts.push(text) - 1);
      vectors.push(vector);
      world.normalised.push(idOf(normalised, normaliseText(text)));
      world.answer.push(2 * world.topics.length + (same ? 0 : 1));
    }
    world.topics.push(topic);
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
  repeats: string[];
  traps: string[];
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
  const groups = new Map<string, { repeats: Set<string>; traps: Set<string> }>();
  for (const { a, b, same } of pairs) {
    const id = rootOf(a);
    const { repeats, traps } = groups.get(id) ?? { repeats: new Set(), traps: new Set() };
    groups.set(id, { repeats, traps });
    repeats.add(a);
    if (same) repeats.add(b);
    else if (rootOf(b) !== id) traps.add(b);
  }
  return [...groups.values()].map(({ repeats, traps }) => ({ repeats: [...repeats], traps: [...traps] }));
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
