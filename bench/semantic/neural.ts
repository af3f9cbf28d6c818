// What the neural verifier costs: `node --conditions=@deja/source bench/semantic/neural.ts`. Prints how long the model takes to load, and for short and long pairs
// p50 and p95 of one opinion (both orders, on one thread) asked for alone, and the time for each of ten asked for together, as a look-up does.
import { CrossEncoder } from '../../libs/similarity/src/neural/cross-encoder.ts';

const ROUNDS = 100;
const WARM_UP = 10;
const CANDIDATES = 10;
const PATIENT_MS = 60_000;
const MODEL = new URL('../../models/verifier/', import.meta.url);
const VERBS = ['change', 'reset', 'remove', 'find', 'enable', 'disable', 'share', 'rename', 'schedule', 'restore'];
const SUBJECTS = ['a password', 'the billing address', 'an invoice', 'dark mode', 'two-factor login', 'the export of a report', 'a webhook', 'the time zone', 'a shared folder', 'the weekly summary'];
const PLACES = ['in the settings', 'on a phone', 'for a whole team', 'after an upgrade', 'without a mouse', 'in the command line', 'for new members', 'before the deadline', 'in another language', 'on a slow connection'];
const MORE = 'I tried it yesterday with the newest version, but the page stayed empty and no message told me what I should do next.';

/** The n-th of 1,000 pairs about the same subject, about 10 or 35 pieces in each text. */
function pair(n: number, long: boolean): [string, string] {
  const at = (list: string[], power: number): string => list[Math.floor(n / 10 ** power) % 10] ?? '';
  const what = `${at(VERBS, 0)} ${at(SUBJECTS, 1)} ${at(PLACES, 2)}`;
  const more = long ? ` ${MORE}` : '';
  return [`How do I ${what}?${more}`, `What is the way to ${what}?${more}`];
}

async function durationsMs(rounds: number, task: (n: number) => Promise<{ length: number }>): Promise<number[]> {
  const durations: number[] = [];
  for (let n = 0; n < rounds + WARM_UP; n++) {
    const startedMs = performance.now();
    await task(n);
    if (n >= WARM_UP) durations.push(performance.now() - startedMs);
  }
  return durations.sort((a, b) => a - b);
}

const figure = (durations: number[], share: number, divisor = 1): string => ((durations[Math.floor(share * durations.length)] ?? Number.NaN) / divisor).toFixed(2).padStart(7);

const memoryBefore = process.memoryUsage.rss();
const startedMs = performance.now();
const encoder = await CrossEncoder.open({ model: MODEL, maxRemembered: 0, logger: { warn: (fields, message) => console.error(message, fields) } });
if (encoder !== null) {
  await encoder.opinions([pair(0, false)], PATIENT_MS);
  const loadMs = performance.now() - startedMs;
  console.log(`${encoder.name}: ${loadMs.toFixed(0)} ms until the first opinion, ${((process.memoryUsage.rss() - memoryBefore) / 1e6).toFixed(0)} MB of memory`);
  for (const long of [false, true]) {
    const alone = await durationsMs(ROUNDS, (n) => encoder.opinions([pair(n, long)], PATIENT_MS));
    const many = await durationsMs(ROUNDS / CANDIDATES, (n) => encoder.opinions(Array.from({ length: CANDIDATES }, (_, i) => pair(n * CANDIDATES + i, long)), PATIENT_MS));
    console.log(`${long ? 'long ' : 'short'} pairs   p50 ${figure(alone, 0.5)} ms   p95 ${figure(alone, 0.95)} ms   ten together, each: p50 ${figure(many, 0.5, CANDIDATES)} ms`);
  }
  await encoder.close();
}
