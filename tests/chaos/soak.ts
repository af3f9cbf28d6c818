/**
 * Nothing that is promised breaks while parts do: two replicas of everything under steady mixed load, with kills, stops, restarts and partitions of each part from a seed;
 * then the promises one by one. `npm run soak -- [--minutes 30] [--faults 45] [--seed N] [--rate 40] [--write]`: exit code 1 where a promise is broken.
 */
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { growing, memoryOf } from './memory.ts';
import { verdicts } from './promises.ts';
import { reportOf, writeReport } from './report.ts';
import { chaos } from './run.ts';
import { ROOT } from './stage.ts';

const MINUTE_MS = 60_000;
const MOST_SHOWN = 500;
/** A fault of full length and the calm after it need so long at least. */
const LENGTHS = { least: 3000, most: 10_000 };
const CALM_MS = 6000;
/** Leases of those that were killed last, and what waits behind them. */
const SETTLES_MS = 240_000;

const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}.`;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, faults: { type: 'string', default: '45' }, seed: { type: 'string' }, rate: { type: 'string', default: '40' }, write: { type: 'boolean', default: false } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const [minutes, faults, perSecond] = [values.minutes, values.faults, values.rate].map(Number) as [number, number, number];

process.stdout.write(`seed ${seed}\n`);
const built = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'nx', 'dist', 'bin', 'nx.js'), 'run-many', '-t', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
if (built.status !== 0) throw new Error('the apps could not be built: npm run build says why');
/** Shorter runs have shorter faults. */
const scale = Math.min(1, (minutes * MINUTE_MS) / faults / (LENGTHS.most + 2 * CALM_MS));
const run = await chaos({
  seed, faults, perSecond, lastsMs: minutes * MINUTE_MS, settlesMs: SETTLES_MS, calmMs: Math.round(CALM_MS * scale), lengthMs: { least: Math.round(LENGTHS.least * scale), most: Math.round(LENGTHS.most * scale) },
  log: (line) => void process.stdout.write(`${line}\n`),
  onStage: (stage) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void stage.stop().finally(() => process.exit(130)));
  },
});
const found = verdicts(run.evidence);
const memory = memoryOf(run.evidence.memory);
const text = reportOf({ run, verdicts: found, memory, machine, asked: { seed, minutes, perSecond } });
process.stdout.write(`\n${text}\n`);
for (const { promise, broken } of found) for (const sentence of broken.slice(0, MOST_SHOWN)) process.stdout.write(`BROKEN: ${promise}: ${sentence}\n`);
for (const sentence of growing(memory)) process.stdout.write(`BROKEN: ${sentence}\n`);
if (values.write) await writeReport(join(ROOT, 'docs', 'reliability.md'), text);
process.exitCode = found.every(({ held }) => held) && growing(memory).length === 0 ? 0 : 1;
