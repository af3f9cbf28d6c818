// What a semantic look-up costs in the process that answers it: `node --conditions=@deja/source bench/semantic-lookup.ts`. Prints p50 and p99 of
// embedding and of embedding + search with 1,000 and 10,000 entries in one partition. Nothing is asked of Redis.
import { normaliseText } from '../libs/cache-key/src/normalise.ts';
import { readModelFiles, StaticEmbedder } from '../libs/similarity/src/index.ts';
import { EmbeddedIndex } from '../apps/semantic-cache/src/index/embedded/embedded-index.ts';
import { question } from './semantic/questions.ts';

const ROUNDS = 2000;
const PARTITION = { tenant: 'bench', scope: 'tenant', fingerprint: 'f'.repeat(64) };
function percentiles(task: (n: number) => void): string {
  for (let n = 0; n < ROUNDS / 4; n++) task(n);
  const durationsMs: number[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const startedMs = performance.now();
    task(n);
    durationsMs.push(performance.now() - startedMs);
  }
  durationsMs.sort((a, b) => a - b);
  const at = (share: number): string => (durationsMs[Math.floor(share * ROUNDS)] ?? Number.NaN).toFixed(4).padStart(9);
  return `p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`;
}

const loadingMs = performance.now();
const embedder = new StaticEmbedder(await readModelFiles(new URL('../models/static-256/', import.meta.url)));
console.log(`model ${embedder.name} loaded in ${(performance.now() - loadingMs).toFixed(0)} ms`);
const vectorOf = (text: string): Float32Array => {
  const { vector, outOfDepth } = embedder.embed(normaliseText(text));
  if (vector === null) throw new Error(`no vector for "${text}": ${outOfDepth}`);
  return vector;
};

console.log(`embed                      ${percentiles((n) => vectorOf(question((n * 7919) % 10_000)))}`);
for (const entries of [1000, 10_000]) {
  const index = new EmbeddedIndex({ dimensions: embedder.dimensions, maxEntriesPerTenant: entries, maxEntries: entries, maxBytesPerTenant: Infinity });
  const startedMs = performance.now();
  for (let n = 0; n < entries; n++) index.add({ ...PARTITION, entry: `e${n}`, text: question(n), expiresAtMs: Infinity }, vectorOf(question(n)));
  const filledMs = performance.now() - startedMs;
  const look = (n: number): void => {
    index.search(PARTITION, { vector: vectorOf(question((n * 7919) % 10_000)), limit: 10, floor: 0.5, nowMs: 0 });
  };
  console.log(`embed + search, ${String(entries).padStart(6)}     ${percentiles(look)}   (filled in ${filledMs.toFixed(0)} ms)`);
}
