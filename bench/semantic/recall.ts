/**
 * What the built-in embedder is worth as a finder of candidates, and whether unrelated questions are a danger:
 * - recall: among 20,000 unrelated questions, how often is the right entry among the 10 nearest with a cosine of .5 or more;
 * - unrelated: with only those 20,000 in the store, how many of the questions are answered all the same.
 * `node --conditions=@deja/source bench/semantic/recall.ts`, on the held-out pairs.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { normaliseText } from '@deja/cache-key';
import { analyse, compare, readLexicon, readModelFiles, StaticEmbedder } from '@deja/similarity';
import { EmbeddedIndex } from '../../apps/semantic-cache/src/index/embedded/embedded-index.ts';

interface Pair {
  a: string;
  b: string;
  same: boolean;
  kind: string;
}

const CANDIDATES = 10;
const FLOOR = 0.5;
const PARTITION = { tenant: 'bench', scope: 'tenant', fingerprint: 'f'.repeat(64) };

const models = new URL('../../models/', import.meta.url);
const linesOf = <T>(name: string): T[] => gunzipSync(readFileSync(new URL(`data/${name}`, import.meta.url))).toString('utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as T);
const pairs = linesOf<Pair>('pairs.jsonl.gz');
const unrelated = linesOf<{ text: string }>('unrelated.jsonl.gz').map(({ text }) => text);
const loadingMs = performance.now();
const embedder = new StaticEmbedder(await readModelFiles(new URL('static-256/', models)));
console.log(`embedder loaded in ${(performance.now() - loadingMs).toFixed(0)} ms`);
const lexicon = await readLexicon(new URL('lexicon/', models));
const vectorOf = (text: string): Float32Array | null => embedder.embed(normaliseText(text)).vector;

const index = new EmbeddedIndex({ dimensions: embedder.dimensions, maxEntriesPerTenant: Infinity, maxEntries: 1_000_000, maxBytesPerTenant: Infinity });
const add = (entry: string, text: string): void => {
  const vector = vectorOf(text);
  if (vector !== null) index.add({ ...PARTITION, entry, text, expiresAtMs: Infinity }, vector);
};
const near = (text: string): { entry: string; text: string }[] => {
  const vector = vectorOf(text);
  return vector === null ? [] : index.search(PARTITION, { vector, limit: CANDIDATES, floor: FLOOR, nowMs: 0 }).map(({ entry }) => entry);
};
for (const [n, text] of unrelated.entries()) add(`unrelated-${n}`, text);

const questions = [...new Set(pairs.map(({ a }) => a))];
let served = 0;
for (const question of questions) {
  const asked = analyse(question, lexicon);
  if (near(question).some(({ text }) => compare(asked, analyse(text, lexicon), lexicon).decision === 'same')) served++;
}
console.log(`${unrelated.length} unrelated in the store: ${served} of ${questions.length} questions answered (${share(served, questions.length)})`);

const found = new Map<string, { all: number; right: number }>();
for (const [n, { a, b, same, kind }] of pairs.entries()) {
  if (!same || vectorOf(a) === null || vectorOf(b) === null) continue;
  add(`right-${n}`, a);
  const right = near(b).some(({ entry }) => entry === `right-${n}`);
  index.delete(PARTITION.tenant, `right-${n}`);
  const counts = found.get(kind) ?? { all: 0, right: 0 };
  found.set(kind, { all: counts.all + 1, right: counts.right + (right ? 1 : 0) });
}
for (const [kind, { all, right }] of found) console.log(`recall at ${CANDIDATES}, ${kind.padEnd(12)} ${share(right, all).padStart(7)} of ${all}`);
const total = [...found.values()].reduce((sum, { all, right }) => ({ all: sum.all + all, right: sum.right + right }), { all: 0, right: 0 });
console.log(`recall at ${CANDIDATES}, all          ${share(total.right, total.all).padStart(7)} of ${total.all}`);

function share(part: number, all: number): string {
  return `${((100 * part) / all).toFixed(2)} %`;
}
