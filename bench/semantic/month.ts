/**
 * Does the bound hold? A month of support traffic through exact cache, search, verification and policy, in one process, for many seeds, and for
 * bounds of .1, 1 and 5 %. The questions, their other wordings and the traps among them are those of bench/semantic/data; an oracle knows which
 * answers are the same. `node --conditions=@deja/source bench/semantic/month.ts [--smoke] [--seeds N]` prints a table and writes
 * docs/figures/semantic-month.svg (not with --smoke). Four minutes on one core; --smoke: half a minute.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readCalibration, readModelFiles, StaticEmbedder } from '@deja/similarity';
import { figureOf } from './month-figure.ts';
import { lineOf, summaryOf, TABLE_HEAD, type Summary } from './month-report.ts';
import { Month, type Conditions } from './month-run.ts';
import { trafficOf, type TrafficSettings } from './month-traffic.ts';
import { openVerdicts } from './month-verdicts.ts';
import { readPairs, worldOf } from './month-world.ts';

const BOUNDS = [0.001, 0.01, 0.05];
const AUDIT_SHARE = 0.02;
const COMPARISON_ERROR = 0.01;
const TRAFFIC: TrafficSettings = { days: 30, scopes: 2, requestsPerDay: 300, topicsPerScope: 500, trapShare: 0.1 };

/** What the verdicts are worth there. */
const WORLDS: { name: string; lies: Conditions['lies'] }[] = [
  { name: 'as generated', lies: {} },
  { name: '5 % of form and synonym matches wrong', lies: { surface: 0.05, synonym: 0.05 } },
];

const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, seeds: { type: 'string' } } });
const seeds = Number(values.seeds ?? (values.smoke ? 4 : 100));
const models = new URL('../../models/', import.meta.url);
const embedder = new StaticEmbedder(await readModelFiles(new URL('static-256/', models)));
const calibration = await readCalibration(new URL('calibration/', models));
const world = worldOf(await readPairs(), embedder, values.smoke ? 300 : 1000);
const kindOf = await openVerdicts(world.texts);
console.log(`${world.texts.length} texts, ${world.topics.length} topics; ${seeds} seeds; calibration ${calibration.name}; audits: ${100 * AUDIT_SHARE} % of would-be hits, their comparison errs in ${100 * COMPARISON_ERROR} %\n`);

const summaries: Summary[] = [];
console.log(TABLE_HEAD);
for (const { name, lies } of WORLDS) {
  for (const maxWrongRate of BOUNDS) {
    const outcomes = Array.from({ length: seeds }, (_, seed) => {
      const month = new Month(world, kindOf, calibration, { maxWrongRate, auditShare: AUDIT_SHARE, comparisonError: COMPARISON_ERROR, lies }, seed);
      return month.run(trafficOf(world, seed, TRAFFIC));
    });
    const summary = summaryOf(name, maxWrongRate, outcomes);
    summaries.push(summary);
    console.log(lineOf(summary));
  }
}
if (!values.smoke) await writeFile(new URL('../../docs/figures/semantic-month.svg', import.meta.url), figureOf(summaries));
