import { percentiles, type Machine } from '../added-latency/report.ts';
import type { Second, StepFigures } from './figures.ts';
import { PROVIDER_MS } from './work.ts';

export interface Report {
  /** When it ended, RFC 3339. */
  at: string;
  isSmoke: boolean;
  machine: Machine;
  /** Processes of the gateway, as DEJA_GATEWAY_WORKERS. */
  workers: string;
  /** Requests answered a second in a closed loop, by its clients. */
  closed: { clients: number; perSecond: number }[];
  steps: StepFigures[];
  seconds: Second[];
  /** Resident memory of the gateway, MiB. */
  memory: { beforeMiB: number; mostMiB: number; afterMiB: number };
  /** Of the load generator itself, ms. */
  generatorLatenessMs: number[];
  /** Share of the machine that other programs took meanwhile, 0…1. */
  othersShare: number;
}

/** A generator that is later than this sent its requests in heaps, and the figures say less. */
const LATE_MS = 20;

/** Requests a second: the most that was ever answered. */
export const maximumOf = ({ closed, steps }: Pick<Report, 'closed' | 'steps'>): number =>
  Math.max(...closed.map(({ perSecond }) => perSecond), ...steps.map(({ goodputPerSecond }) => goodputPerSecond));

const whole = (value: number): string => (Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en-US'));
const share = (part: number, all: number): string => (all === 0 ? '' : `${Math.round((100 * part) / all)} %`);

function heading({ at, isSmoke, machine, workers, othersShare }: Report): string {
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, Node ${machine.node}, ${at.slice(0, 16).replace('T', ' ')} UTC; gateway${workers === '1' ? '' : ` (${workers} workers)`}, provider (${PROVIDER_MS} ms an answer), load generator, Redis and Postgres all on it; other programs took ${Math.round(othersShare * 100)} % of it meanwhile.${isSmoke ? ' **The smoke run: too short to say more than that everything works.**' : ''}`;
}

function generator({ generatorLatenessMs }: Report): string {
  const { p50, p99 } = percentiles(generatorLatenessMs);
  const verdict = p99 > LATE_MS ? `**The load generator was itself late (more than ${LATE_MS} ms): latencies hold its lateness too.**` : 'The load generator was in time.';
  return `${verdict} It sent p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms after a request was due.`;
}

/** All figures of a run. */
export function markdown(report: Report): string {
  const maximum = maximumOf(report);
  const rows = report.steps.map((step) => [
    step.name, whole(step.offeredPerSecond), whole(step.goodputPerSecond), share(step.goodputPerSecond, maximum), whole(step.p50Ms), whole(step.p99Ms),
    share(step.answered.interactive, step.due.interactive), share(step.answered.batch, step.due.batch), whole(step.refused), share(step.refusedWithRetryAfter, step.refused), whole(step.others), whole(step.failed),
  ]);
  const calm = report.steps.at(-1);
  const closed = report.closed.map(({ clients, perSecond }) => `${whole(perSecond)}/s with ${clients} clients`).join(', ');
  const { beforeMiB, mostMiB, afterMiB } = report.memory;
  return [
    heading(report),
    `Capacity, in a closed loop: ${closed}.`,
    [
      '| load | offered, /s | answered, /s | of the most | p50 ms | p99 ms | interactive answered | batch answered | refused | with `retry-after` | other answers | no answer |',
      '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
      ...rows.map((row) => `| ${row.join(' | ')} |`),
    ].join('\n'),
    `p50 and p99 are of interactive requests that were answered, from when they were due. ${calm === undefined ? '' : `After the load had gone, the last request that was not answered with 200 was due after ${(calm.troubledForMs / 1000).toFixed(1)} s. `}The gateway held ${whole(beforeMiB)} MiB before, ${whole(mostMiB)} MiB at most and ${whole(afterMiB)} MiB afterwards. ${generator(report)}`,
  ].join('\n\n');
}
