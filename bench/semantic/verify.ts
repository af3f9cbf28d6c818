// The verifier on labelled pairs: `node --conditions=@deja/source bench/semantic/verify.ts [pairs.jsonl.gz]`.
// Prints for each kind of pair how many are served, left open to a neural verifier, and refused, and what a verdict costs.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { analyse } from '../../libs/similarity/src/verify/analyse.ts';
import { compare } from '../../libs/similarity/src/verify/verdict.ts';
import { readLexicon } from '../../libs/similarity/src/verify/read-lexicon.ts';

interface Pair { a: string; b: string; same: boolean | number; kind: string }
interface Tally { same: boolean; pairs: number; served: number; open: number; different: number }

const file = process.argv[2] ?? new URL('data/pairs.jsonl.gz', import.meta.url);
const before = performance.now();
const lexicon = await readLexicon(new URL('../../models/lexicon/', import.meta.url));
const loadMs = performance.now() - before;
const pairs = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n').map((line) => JSON.parse(line) as Pair);

const tallies = new Map<string, Tally>();
const kinds: Record<string, number> = {};
const verdictsUs = new Float64Array(pairs.length);
const analysesUs = new Float64Array(pairs.length);
for (const [i, { a, b, same, kind }] of pairs.entries()) {
  const start = performance.now();
  const first = analyse(a, lexicon);
  const analysed = performance.now();
  const second = analyse(b, lexicon);
  const ready = performance.now();
  const verdict = compare(first, second, lexicon);
  verdictsUs[i] = (performance.now() - ready) * 1000;
  analysesUs[i] = (analysed - start) * 1000;
  const name = `${same ? 'same' : 'trap'} ${kind}`;
  const tally = tallies.get(name) ?? { same: Boolean(same), pairs: 0, served: 0, open: 0, different: 0 };
  tallies.set(name, tally);
  tally.pairs++;
  tally[verdict.decision === 'same' ? 'served' : verdict.decision]++;
  if (verdict.decision === 'same') kinds[`${verdict.kind} ${same ? 'right' : 'wrong'}`] = (kinds[`${verdict.kind} ${same ? 'right' : 'wrong'}`] ?? 0) + 1;
}

const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`.padStart(9);
const line = (name: string, { pairs: n, served, open, different }: Omit<Tally, 'same'>): void => {
  console.log(`${name.padEnd(24)}${String(n).padStart(7)}${percent(served, n)}${percent(open, n)}${percent(different, n)}`);
};
const sum = (of: Tally[]): Tally => of.reduce((all, each) => ({ same: each.same, pairs: all.pairs + each.pairs, served: all.served + each.served, open: all.open + each.open, different: all.different + each.different }));

console.log('kind                      pairs   served     open  refused');
for (const [name, tally] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1))) line(name, tally);
const same = sum([...tallies.values()].filter((tally) => tally.same));
const traps = sum([...tallies.values()].filter((tally) => !tally.same));
line('all same', same);
line('all traps', traps);
console.log(`precision ${percent(same.served, same.served + traps.served).trim()}`, kinds);

const quantile = (values: Float64Array, share: number): string => (values.toSorted()[Math.floor(share * (values.length - 1))] ?? 0).toFixed(1);
console.log(`verdict on two analysed texts: p50 ${quantile(verdictsUs, 0.5)} µs, p99 ${quantile(verdictsUs, 0.99)} µs; analysis: p50 ${quantile(analysesUs, 0.5)} µs, p99 ${quantile(analysesUs, 0.99)} µs; lexicon loaded in ${loadMs.toFixed(0)} ms`);
