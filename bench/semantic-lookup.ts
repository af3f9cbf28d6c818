// What a semantic look-up costs in the process that answers it: `node bench/semantic-lookup.ts`. Prints p50 and p99 of
// embedding and of embedding + search with 1,000 and 10,000 entries in one partition. Nothing is asked of Redis.
import { normaliseText } from '../libs/cache-key/src/normalise.ts';
import { readModelFiles, StaticEmbedder } from '../libs/similarity/src/index.ts';
import { EmbeddedIndex } from '../apps/semantic-cache/src/index/embedded/embedded-index.ts';

const ROUNDS = 2000;
const PARTITION = { tenant: 'bench', scope: 'tenant', fingerprint: 'f'.repeat(64) };
const SUBJECTS = ['a password', 'the billing address', 'an invoice', 'dark mode', 'two-factor login', 'the export of a report', 'a webhook', 'the time zone', 'a shared folder', 'the weekly summary'];
const VERBS = ['change', 'reset', 'remove', 'find', 'enable', 'disable', 'share', 'rename', 'schedule', 'restore'];
const PLACES = ['in the settings', 'on a phone', 'for a whole team', 'after an upgrade', 'without a mouse', 'in the command line', 'for new members', 'before the deadline', 'in another language', 'on a slow connection'];
const STARTS = ['How do I', 'Can a guest', 'What happens when people', 'Why would anyone', 'Is it possible to', 'Where does one', 'When should an admin', 'Who is allowed to', 'What does it take to', 'Should every user'];

/** The n-th of 10,000 different questions. */
function question(n: number): string {
  const at = (list: string[], power: number): string => list[Math.floor(n / 10 ** power) % 10] ?? '';
  return `${at(STARTS, 3)} ${at(VERBS, 0)} ${at(SUBJECTS, 1)} ${at(PLACES, 2)}?`;
}

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
