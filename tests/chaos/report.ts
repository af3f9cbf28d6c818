import { readFile, writeFile } from 'node:fs/promises';
import { during, type Try } from './evidence.ts';
import type { Course, Memory } from './memory.ts';
import type { Verdict } from './promises.ts';
import type { ChaosRun } from './run.ts';
import { KINDS, TARGETS } from './schedule.ts';
import { outcomeOf } from './served.ts';

const [BEGIN, END] = ['<!-- soak: begin -->', '<!-- soak: end -->'];
const SECTION = `# Reliability\n\n## Soak\n\n${BEGIN}\n${END}\n`;

interface Report {
  run: ChaosRun;
  verdicts: readonly Verdict[];
  memory: readonly Memory[];
  machine: string;
  asked: { seed: number; minutes: number; perSecond: number };
}

/** A run for people, in Markdown. */
export function reportOf({ run, verdicts, memory, machine, asked }: Report): string {
  const { evidence } = run;
  return [
    `\`npm run soak -- --minutes ${asked.minutes} --faults ${evidence.faults.length} --rate ${asked.perSecond} --seed ${asked.seed}\`: ${((evidence.untilMs - evidence.fromMs) / 60_000).toFixed(1)} minutes, ${evidence.faults.length} faults, settled after ${Math.round(run.settledMs / 1000)} s. ${machine}`,
    table(['promise', 'held', 'what was seen'], verdicts.map(({ row, promise, held, counts, broken }) => [`${row === null ? '' : `${row}. `}${promise}`, held ? 'yes' : `**no**: ${broken.length}`, Object.entries(counts).map(([what, n]) => `${n.toLocaleString('en')} ${what}`).join(', ')])),
    table(['faults', ...KINDS], TARGETS.map((target) => [target, ...KINDS.map((kind) => String(evidence.faults.filter((fault) => fault.target === target && fault.kind === kind).length || ''))])),
    table(['latency of whole answers, ms', 'requests', 'p50', 'p99', 'most'], latencies(run)),
    memory.length === 0 ? 'No process lived long enough to say something of its memory.' : table(['memory, MiB at half of its life and at its end', 'minutes', 'live', 'resident', 'flat'], memory.map(memoryRow)),
  ].join('\n\n');
}

const memoryRow = ({ process, minutes, live, resident }: Memory): string[] => [process, minutes.to.toFixed(1), course(live), course(resident), resident.isFlat && live?.isFlat === true ? 'yes' : '**no**'];
const course = (one: Course | null): string => (one === null ? 'not seen' : `${one.from.toFixed(0)} → ${one.to.toFixed(0)}`);

const table = (head: string[], rows: string[][]): string => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function latencies({ evidence: { tries, faults } }: ChaosRun): string[][] {
  const whole = tries.filter((one) => !one.stream && one.asker !== 'narrow' && outcomeOf(one) === 'ok');
  const isCalm = ({ startMs, endMs }: Try): boolean => !faults.some((fault) => during(fault, startMs, endMs));
  return ([['in calm', whole.filter(isCalm)], ['while something is wrong', whole.filter((one) => !isCalm(one))]] as const).map(([name, some]) => {
    const sorted = some.map(({ startMs, endMs }) => endMs - startMs).toSorted((a, b) => a - b);
    const at = (share: number): string => String(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? '');
    return [name, String(sorted.length), at(0.5), at(0.99), at(1)];
  });
}

/** Puts it between the marks of the file, which is made where it is not there. */
export async function writeReport(path: string, report: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => SECTION);
  const all = before.includes(BEGIN) ? before : `${before.trimEnd()}\n\n${SECTION.slice(SECTION.indexOf('## Soak'))}`;
  await writeFile(path, `${all.slice(0, all.indexOf(BEGIN))}${BEGIN}\n${report}\n${all.slice(all.indexOf(END))}`);
}
