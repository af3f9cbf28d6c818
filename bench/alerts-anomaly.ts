/**
 * What `token_spike` finds, and what it takes for a spike that is none: generated weeks of client keys of nine kinds, with planted spikes, replayed
 * through the usage-worker's own rule and state machine. No clock and no database; the same figures everywhere. Half a minute of one core.
 * `node --conditions=@deja/source bench/alerts-anomaly.ts [--tune] [--smoke]`: `--tune` compares thresholds on seeds of their own; `--smoke` a tenth.
 */
import { SPIKES, type Sensitivity } from '../apps/usage-worker/src/alerts/anomaly.ts';
import { METRIC_DEFAULTS } from '../apps/usage-worker/src/alerts/metric-defaults.ts';
import { firings, watched, type Firing, type Watched } from './alerts-anomaly/watch.ts';
import { KINDS, LENGTHS_MIN, simulatedKeys, SIZES, STEP_MS, STEPS_AN_HOUR, WATCHED_WEEKS, type Kind, type Spike } from './alerts-anomaly/world.ts';

const isSmoke = process.argv.includes('--smoke');
const TUNING_SEEDS = [1, 2, 3];
const REPORT_SEEDS = isSmoke ? [101] : [101, 102, 103, 104];
const OF_EACH_KIND = isSmoke ? 4 : 12;
/** What follows a spike for so long is still about it: the last hour is looked at, and an alert has to have been over for a while. */
const AFTERMATH = STEPS_AN_HOUR;

interface Outcome {
  kind: Kind;
  spike: Spike | null;
  /** Steps from the beginning of the spike until it fired; null: it did not. */
  foundAfter: number | null;
  about: number;
  false: number;
}

const { forS, clearS, above } = METRIC_DEFAULTS.token_spike;
const PATIENCE = { forMs: 1000 * forS, clearMs: 1000 * clearS };

function outcomeOf(of: Watched, sensitivity: Sensitivity): Outcome {
  const { kind, spike } = of.key;
  const isAbout = ({ from }: Firing): boolean => spike !== null && from > spike.from && from <= spike.to + AFTERMATH;
  const all = firings(of, sensitivity, PATIENCE);
  const about = all.filter(isAbout);
  const [first] = about;
  return { kind, spike, foundAfter: first === undefined || spike === null ? null : first.from - spike.from, about: about.length, false: all.length - about.length };
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
const percent = (share: number): string => (Number.isNaN(share) ? '' : `${(100 * share).toFixed(0)} %`);
const precisionOf = (all: readonly Outcome[]): number => sum(all, ({ about }) => about) / sum(all, (one) => one.about + one.false);
const recallOf = (all: readonly Outcome[]): number => all.filter(({ foundAfter }) => foundAfter !== null).length / all.filter(({ spike }) => spike !== null).length;
const falseAWeek = (all: readonly Outcome[]): string => (sum(all, (one) => one.false) / (all.length * WATCHED_WEEKS)).toFixed(3);
const large = (all: readonly Outcome[], from = 5): Outcome[] => all.filter(({ spike }) => spike !== null && spike.size >= from && spike.lengthMin >= 60);

function tune(): void {
  const worlds = TUNING_SEEDS.flatMap((seed) => simulatedKeys(seed, OF_EACH_KIND).map(watched));
  console.log(`${worlds.length} keys, seeds ${TUNING_SEEDS.join(', ')}\n\n| ratio | deviations | precision | recall, all | recall, ≥ 5 times for ≥ 1 h | false alarms a key and week |\n|--:|--:|--:|--:|--:|--:|`);
  for (const ratio of [2, 3, 4, 5]) {
    for (const deviations of [2.5, 3, 3.5, 4, 5]) {
      const all = worlds.map((world) => outcomeOf(world, { ratio, deviations, least: SPIKES.token_spike.least }));
      console.log(`| ${ratio} | ${deviations} | ${percent(precisionOf(all))} | ${percent(recallOf(all))} | ${percent(recallOf(large(all)))} | ${falseAWeek(all)} |`);
    }
  }
}

function report(): void {
  const sensitivity = { ...SPIKES.token_spike, ratio: above ?? 1 };
  const all = REPORT_SEEDS.flatMap((seed) => simulatedKeys(seed, OF_EACH_KIND).map((key) => outcomeOf(watched(key), sensitivity)));
  const spikes = all.filter(({ spike }) => spike !== null).length;
  console.log(`${all.length} keys, ${WATCHED_WEEKS} weeks each after ${10 - WATCHED_WEEKS} of history, ${spikes} planted spikes (seeds ${REPORT_SEEDS.join(', ')}); above ${sensitivity.ratio} times, ${sensitivity.deviations} deviations, ${sensitivity.least} tokens more\n`);
  console.log(`precision ${percent(precisionOf(all))}, recall ${percent(recallOf(all))} (of those of 5 times and more for an hour and more: ${percent(recallOf(large(all)))}), false alarms a key and week ${falseAWeek(all)}\n`);
  console.log(`recall, and the median of minutes until it fired:\n\n| size | ${LENGTHS_MIN.map((length) => `${length} min`).join(' | ')} |\n|--:|${LENGTHS_MIN.map(() => '--:').join('|')}|`);
  for (const size of SIZES) {
    const cells = LENGTHS_MIN.map((length) => {
      const some = all.filter(({ spike }) => spike?.size === size && spike.lengthMin === length);
      const found = some.flatMap(({ foundAfter }) => foundAfter ?? []).toSorted((a, b) => a - b);
      const median = found[Math.floor(found.length / 2)];
      return `${percent(found.length / some.length)}${median === undefined ? '' : `, ${(median * STEP_MS) / 60_000} min`}`;
    });
    console.log(`| ${size} | ${cells.join(' | ')} |`);
  }
  console.log('\n| kind of key | precision | recall | recall, ≥ 5 times for ≥ 1 h | false alarms a key and week |\n|---|--:|--:|--:|--:|');
  for (const kind of KINDS) {
    const some = all.filter((one) => one.kind === kind);
    console.log(`| ${kind} | ${percent(precisionOf(some))} | ${percent(recallOf(some))} | ${percent(recallOf(large(some)))} | ${falseAWeek(some)} |`);
  }
}

if (process.argv.includes('--tune')) tune();
else report();
