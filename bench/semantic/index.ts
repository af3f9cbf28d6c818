// What a search of the embedded vector index costs: `node --conditions=@deja/source bench/semantic/index.ts [entries …]`, 15 s. For each number of
// entries in one partition (1,000, 10,000 and 100,000 unless said otherwise): time to fill, p50 and p99 of a search, memory; then as many entries
// as the most of them in partitions of their own. Aims: p50 ≤ 0.1 ms at 1,000 and ≤ 10 ms at 100,000. Vectors are made, not embedded: those of one topic
// have a cosine of about 0.8, of different topics about 0.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EmbeddedIndex } from '../../apps/semantic-cache/src/index/embedded/embedded-index.ts';

const DIMENSIONS = 256;
const TOPICS = 200;
const SHARE_OF_TOPIC = 2; // length of a topic's part of a vector, where the part that is its own has 1
const LATER_MS = Number.MAX_SAFE_INTEGER;
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The same vectors in each run: a linear congruential generator. */
let state = 1;
const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 31 - 1;
const randomVector = (): Float32Array => Float32Array.from({ length: DIMENSIONS }, random);
const topics = Array.from({ length: TOPICS }, randomVector);
function vectorOf(n: number): Float32Array {
  const topic = topics[n % TOPICS] ?? new Float32Array(DIMENSIONS);
  return randomVector().map((own, j) => own + SHARE_OF_TOPIC * (topic[j] ?? 0));
}

function usedBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function percentiles(rounds: number, task: (n: number) => void): string {
  for (let n = 0; n < rounds / 4; n++) task(n);
  const durationsMs: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const startedMs = performance.now();
    task(n);
    durationsMs.push(performance.now() - startedMs);
  }
  durationsMs.sort((a, b) => a - b);
  const at = (share: number): string => (durationsMs[Math.floor(share * rounds)] ?? Number.NaN).toFixed(4).padStart(8);
  return `p50 ${at(0.5)}  p99 ${at(0.99)}`;
}

function measure(entries: number, partitions: number): void {
  const emptyBytes = usedBytes();
  const index = new EmbeddedIndex({ dimensions: DIMENSIONS, maxEntriesPerTenant: entries, maxEntries: entries, maxBytesPerTenant: Infinity });
  const partitionOf = (n: number): { tenant: string; scope: string; fingerprint: string } => ({ tenant: 'bench', scope: 'tenant', fingerprint: String(n % partitions).padStart(64, 'f') });
  let fillMs = 0;
  for (let n = 0; n < entries; n++) {
    const vector = vectorOf(n);
    const entry = { ...partitionOf(n), entry: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`, text: `How does one do the thing with the number ${n}?`, expiresAtMs: LATER_MS, bytes: 1000 };
    const startedMs = performance.now();
    index.add(entry, vector);
    fillMs += performance.now() - startedMs;
  }
  const heapBytes = usedBytes() - emptyBytes;
  const rounds = entries / partitions > 50_000 ? 400 : 2000;
  const questions = Array.from({ length: 256 }, (_, n) => vectorOf(n));
  const look = (floor: number): string =>
    percentiles(rounds, (n) => {
      const vector = questions[n % questions.length];
      if (vector !== undefined) index.search(partitionOf(n), { vector, limit: 10, floor, nowMs: 0 });
    });
  console.log(`${String(entries).padStart(7)} in ${String(partitions).padStart(6)}   ${look(0.5)}   ${look(-1)}   ${(fillMs * 1000 / entries).toFixed(1).padStart(6)}   ${(index.vectorBytes / MIB).toFixed(1).padStart(6)}   ${(heapBytes / MIB).toFixed(1).padStart(6)}`);
}

const numbers = process.argv.slice(2).map(Number).filter((n) => Number.isInteger(n) && n > 0);
const sizes = numbers.length > 0 ? numbers : [1000, 10_000, 100_000];
console.log(`${DIMENSIONS} dimensions, 10 nearest\n   entries in    search, ms, at floor 0.5     at floor −1                  added, vectors, entries,`);
console.log('           partitions                                                            µs      MiB     MiB of heap');
for (const size of sizes) measure(size, 1);
measure(Math.max(...sizes), Math.max(...sizes));
