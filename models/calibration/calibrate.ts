/**
 * Makes calibration.json: how often each kind of match is wrong, from the held-out generated and the hand-written pairs in bench/semantic/data, as pseudo-counts.
 * `node --conditions=@deja/source models/calibration/calibrate.ts` (without the neural runtime, paraphrases keep what the file says).
 *
 * Of a kind: P(wrong) = t·x / (t·x + r·y), with x and y the shares of traps and of repeats that the kind accepts (half a trap is added, divided among the
 * kinds as their repeats are, so that none seen is not none), and t : r the mix of traps and repeats among questions that have a near neighbour in a cache. x is taken for HARDER times as
 * large as on generated traps: those that people write are harder. The counts then have a total of STRENGTH, whatever the number of pairs: what
 * comes from generated pairs is one witness, not thousands.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { CrossEncoder, readLexicon, VERDICT_KINDS, verdictOf, type VerdictKind } from '@deja/similarity';

interface Pair {
  a: string;
  b: string;
  same: boolean;
}

interface Accepted {
  repeats: number;
  traps: number;
}

const MIX = { traps: 1, repeats: 9 };
const HARDER = 3;
/** Total of the pseudo-counts. `same_text` needs more to be good for a bound of .1 % without local evidence. */
const STRENGTH: Record<VerdictKind, number> = { same_text: 900, surface: 300, synonym: 400, paraphrase: 600 };
/**
 * Nobody is surer than this, in pseudo-counts of wrong: on traps made by hand, early rules accepted 1 of 301 with 32 % of the repeats, and with a
 * neural verifier one more with 10 % more of them; at the same mix that is .12 and .36 %. Rules that pass every generated trap are not known to be better.
 */
const LEAST_WRONG: Record<VerdictKind, number> = { same_text: 0.1, surface: 0.35, synonym: 0.8, paraphrase: 2.1 };
/** Share of tenants whose traffic is not like these pairs: assumed. */
const STRANGERS: Record<VerdictKind, number> = { same_text: 0.01, surface: 0.04, synonym: 0.03, paraphrase: 0.02 };
const OPINION_MS = 60_000;

const root = new URL('../../', import.meta.url);
const file = new URL('calibration.json', import.meta.url);
const data = new URL('bench/semantic/data/', root);
const lines = [gunzipSync(await readFile(new URL('pairs.jsonl.gz', data))), await readFile(new URL('hand-pairs.jsonl', data))].flatMap((bytes) => bytes.toString('utf8').trimEnd().split('\n'));
const pairs = lines.map((line) => JSON.parse(line) as Pair);
const lexicon = await readLexicon(new URL('models/lexicon/', root));
const all = { repeats: pairs.filter(({ same }) => same).length, traps: pairs.filter(({ same }) => !same).length };
const accepted = Object.fromEntries(VERDICT_KINDS.map((kind) => [kind, { repeats: 0, traps: 0 }])) as Record<VerdictKind, Accepted>;

const open: Pair[] = [];
for (const pair of pairs) {
  const verdict = verdictOf(pair.a, pair.b, lexicon);
  if (verdict.decision === 'same') count(verdict.kind, pair);
  else if (verdict.decision === 'open') open.push(pair);
}
const verifier = await CrossEncoder.open({ model: new URL('models/verifier/', root), logger: console });
for (const pair of verifier === null ? [] : open) {
  const [opinion] = await (verifier?.opinions([[pair.a, pair.b]], OPINION_MS) ?? []);
  if (opinion?.same === true) count('paraphrase', pair);
}
await verifier?.close();

const before = JSON.parse(await readFile(file, 'utf8')) as { kinds: Record<VerdictKind, unknown> } & Record<string, unknown>;
const kinds = Object.fromEntries(VERDICT_KINDS.map((kind) => [kind, kind === 'paraphrase' && verifier === null ? before.kinds.paraphrase : priorOf(kind)]));
await writeFile(file, `${JSON.stringify({ ...before, provisional: false, measured: { pairs: all, mix: MIX, harder: HARDER, verifier: verifier?.name ?? null }, kinds }, null, 2)}\n`);
console.table(kinds);

function count(kind: VerdictKind, { same }: Pair): void {
  accepted[kind][same ? 'repeats' : 'traps']++;
}

function priorOf(kind: VerdictKind): Record<string, unknown> {
  const { repeats, traps } = accepted[kind];
  const acceptedRepeats = VERDICT_KINDS.reduce((sum, each) => sum + accepted[each].repeats, 0);
  const trap = (HARDER * MIX.traps * (traps + (0.5 * repeats) / Math.max(1, acceptedRepeats))) / all.traps;
  const repeat = (MIX.repeats * repeats) / all.repeats;
  const share = repeat + trap === 0 ? 1 : trap / (trap + repeat);
  const wrong = Math.max(LEAST_WRONG[kind], share * STRENGTH[kind]);
  return { wrong: Number(wrong.toFixed(3)), right: Number((STRENGTH[kind] - wrong).toFixed(3)), strangers: STRANGERS[kind], accepted: { repeats, traps } };
}
