import { DIRECT, figureOf, type CaseResult, type FigureName, type Figures, type Memory, type Report } from './figures.ts';
import type { Goal } from './goals.ts';

type Side = [name: string, figures: Figures];
const ms = (value?: number): string => (value === undefined || Number.isNaN(value) ? '' : value.toFixed(2));
const whole = (value?: number): string => (value === undefined || Number.isNaN(value) ? '' : String(Math.round(value)));

function table(head: string, align: string, rows: string[][]): string {
  return `| ${head} |\n|${align}|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`;
}

const sidesOf = ({ sides }: CaseResult): Side[] => Object.entries(sides).map(([name, { median }]): Side => [name, median]).toSorted(([a], [b]) => rank(a) - rank(b));
/** Direct first, deja last. */
const rank = (name: string): number => (name === DIRECT ? 0 : name === 'deja' ? 2 : 1);
const labels = (title: string, at: number): string => (at === 0 ? title : '');

/** Only of those cases; '' when there are none. */
function section(title: string, note: string, cases: CaseResult[], head: string, align: string, cells: (one: CaseResult, side: Side, at: number) => string[]): string {
  const rows = cases.flatMap((one) => sidesOf(one).map((side, at) => cells(one, side, at)));
  return rows.length === 0 ? '' : `**${title}** (${note})\n\n${table(head, align, rows)}\n`;
}

const CPU = 'gateway | all apps | Redis | Postgres';
const cpu = ({ gatewayCpuUs, appsCpuUs, redisCpuUs, postgresCpuUs }: Figures): string[] => [whole(gatewayCpuUs), whole(appsCpuUs), whole(redisCpuUs), whole(postgresCpuUs)];

export function goalTable(goals: readonly Goal[]): string {
  const met = (value: boolean | null): string => (value === null ? '' : value ? 'yes' : 'no');
  return table('with everything on | goal | measured | ratio | met | at the reference’s pace | met there', '---|---|--:|--:|:-:|--:|:-:', goals.map(({ what, goal, measured, ratio, met: isMet, atReferencePace }) => [
    what, goal, measured ?? 'not measured', ratio === null ? '' : ratio.toFixed(2), met(isMet), atReferencePace?.measured ?? '', met(atReferencePace?.met ?? null),
  ]));
}

function heading({ at, machine, othersShare, effort }: Report): string {
  const rounds = effort.rounds === 1 ? 'One round' : `Medians of ${effort.rounds} rounds`;
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, Node ${machine.node}, ${at.slice(0, 16).replace('T', ' ')} UTC. ${rounds}${effort.name === 'smoke' ? ' of the smoke run, too short for its p99 to say much' : ''}; other programs took ${(othersShare * 100).toFixed(0)} % of the machine meanwhile.`;
}

function memoryTable(report: Report): string {
  const cells = ({ gatewayMiB, appsMiB, redisMiB }: Memory): string[] => [whole(gatewayMiB), whole(appsMiB), whole(redisMiB ?? undefined)];
  const rows = report.peers.map(({ name, atRest, afterAll }) => [name, ...cells(atRest), ...cells(afterAll)]);
  return `**Memory** (resident, MiB)\n\n${table('| gateway at rest | all apps | Redis | gateway after all | all apps | Redis', '---|--:|--:|--:|--:|--:|--:', rows)}\n`;
}

/** What the look-ups found, which tells that they were made; and what was answered otherwise than the case is about. */
function outcomesOf({ cases }: Report): string {
  const list = (counts: Record<string, number>): string => Object.entries(counts).toSorted(([, a], [, b]) => b - a).map(([what, count]) => `${count} × \`${what}\``).join(', ');
  const lines = cases.flatMap(({ name, sides }) => {
    const { reasons = {}, unexpected = {} } = sides['deja'] ?? {};
    const isLookUp = name === 'look-up-miss' || name === 'semantic-hit';
    return [
      ...(isLookUp && Object.keys(reasons).length > 0 ? [`\`${name}\`: \`x-cache-reason\` said ${list(reasons)}.`] : []),
      ...(Object.keys(unexpected).length > 0 ? [`\`${name}\`: in the figures are ${list(unexpected)}, which the case is not about.`] : []),
    ];
  });
  return lines.join(' ');
}

/** All figures of a run, for docs/performance.md. */
export function markdown(report: Report, goals: readonly Goal[]): string {
  const of = (how: CaseResult['load']['how']): CaseResult[] => report.cases.filter(({ load }) => load.how === how);
  const clients = ({ load }: CaseResult): string => ('clients' in load ? String(load.clients) : '');
  const parts = [
    heading(report),
    goalTable(goals),
    section('One request at a time', 'ms; added: less the same percentile of the direct call', of('one-by-one'), '| | n | p50 | p99 | added p50 | added p99', '---|---|--:|--:|--:|--:|--:', (one, [name, f], at) =>
      [labels(one.title, at), name, whole(f.requests), ms(f.p50Ms), ms(f.p99Ms), ms(f.addedP50Ms), ms(f.addedP99Ms)]),
    outcomesOf(report),
    section('Closed loop', 'each client sends its next request when the answer is there; CPU in µs a request', of('closed'), `| clients | | requests/s | p50 ms | p99 ms | ${CPU}`, '---|--:|---|--:|--:|--:|--:|--:|--:|--:', (one, [name, f], at) =>
      [labels(one.title, at), at === 0 ? clients(one) : '', name, whole(f.perSecond), ms(f.p50Ms), ms(f.p99Ms), ...cpu(f)]),
    section('Open loop', 'requests by the clock; latency from when each was due; CPU in µs a request', of('open'), `asked for, /s | | answered, /s | p50 ms | p99 ms | ${CPU}`, '--:|---|--:|--:|--:|--:|--:|--:|--:', (one, [name, f], at) =>
      [at === 0 && one.load.how === 'open' ? String(one.load.perSecond) : '', name, whole(f.perSecond), ms(f.p50Ms), ms(f.p99Ms), ...cpu(f)]),
    section('Streams at a time', '18 events, one every 20 ms; CPU in µs a stream', of('streams'), `at a time | | streams/s | longest gap p50 ms | p99 ms | ${CPU}`, '--:|---|--:|--:|--:|--:|--:|--:|--:', (one, [name, f], at) =>
      [at === 0 ? clients(one) : '', name, whole(f.perSecond), ms(f.gapP50Ms), ms(f.gapP99Ms), ...cpu(f)]),
    memoryTable(report),
    ...report.leftOut.map(({ name, reason }) => `\`${name}\` was not measured: ${reason}.\n`),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n').replaceAll(/\n{3,}/g, '\n\n').trim()}\n`;
}

const COMPARED: Record<CaseResult['load']['how'], [figure: FigureName, called: string][]> = {
  'one-by-one': [['addedP50Ms', 'added p50, ms']],
  closed: [['perSecond', 'requests/s'], ['gatewayCpuUs', 'gateway CPU, µs']],
  open: [['p99Ms', 'p99, ms']],
  streams: [['gapP99Ms', 'longest gap p99, ms'], ['gatewayCpuUs', 'gateway CPU, µs']],
};

/** For a log: deja's figures, and what they are of those of each other peer. */
export function ratios(report: Report): string {
  const others = report.peers.map(({ name }) => name).filter((name) => name !== 'deja');
  const lines = report.cases.flatMap(({ name, load }) => COMPARED[load.how].flatMap(([figure, called]) => {
    const mine = figureOf(report, 'deja', name, figure);
    if (mine === null) return [];
    const compared = others.flatMap((other) => {
      const theirs = figureOf(report, other, name, figure);
      return theirs === null ? [] : [`  ${(mine / theirs).toFixed(2).padStart(6)} × ${other}’s ${theirs.toFixed(2)}`];
    });
    return [`${name.padEnd(14)} ${called.padEnd(20)} ${mine.toFixed(2).padStart(9)}${compared.join('')}`];
  }));
  return `${heading(report)}\n${lines.join('\n')}\n`;
}
