import { figureOf, type FigureName, type Report } from './figures.ts';

/** What a pass-through added and cost where the goals in ms, µs and requests a second were set: docs/performance.md. */
const REFERENCE = { bareAddedP50Ms: 0.24, bareCpuUs: 90 };

export interface Goal {
  what: string;
  /** `≤ 0.8 × portkey's`, `≤ 2 ms`. */
  goal: string;
  /** As text, with its unit; null where it was not measured. */
  measured: string | null;
  /** Measured, divided by what it is compared with. */
  ratio: number | null;
  met: boolean | null;
  /** Of goals that are no ratios: measured, divided by how much slower this machine ran the pass-through than the reference; and whether that meets it. */
  atReferencePace: { measured: string; met: boolean } | null;
}

type Unit = 'ms' | 'µs' | '/s';
interface Figure {
  side: string;
  case: string;
  figure: FigureName;
}

const write = (value: number, unit: Unit): string => (unit === '/s' ? `${Math.round(value).toLocaleString('en-US')}/s` : unit === 'ms' ? `${value.toFixed(2)} ms` : `${(value / 1000).toFixed(2)} ms`);

/** The goals that one run can say something of, filled in. None is asserted: what a machine does in one hour is no test. */
export function goalsOf(report: Report): Goal[] {
  const value = ({ side, case: name, figure }: Figure): number | null => figureOf(report, side, name, figure);
  const deja = (name: string, figure: FigureName): Figure => ({ side: 'deja', case: name, figure });
  const paceOf = (name: string, figure: FigureName, reference: number): number | null => {
    const bare = value({ side: 'bare', case: name, figure });
    return bare === null ? null : bare / reference;
  };
  const pace = { ms: paceOf('miss', 'addedP50Ms', REFERENCE.bareAddedP50Ms), 'µs': paceOf('miss-16', 'gatewayCpuUs', REFERENCE.bareCpuUs) };

  const against = (what: string, figure: Figure, other: Figure, factor: number, unit: Unit): Goal => {
    const [mine, theirs] = [value(figure), value(other)];
    const ratio = mine === null || theirs === null || theirs <= 0 ? null : mine / theirs;
    const goal = `${unit === '/s' ? '≥' : '≤'} ${factor} × ${other.side}’s${theirs === null ? '' : ` ${write(theirs, unit)}`}`;
    return { what, goal, measured: mine === null ? null : write(mine, unit), ratio, met: ratio === null ? null : unit === '/s' ? ratio >= factor : ratio <= factor, atReferencePace: null };
  };
  const within = (what: string, mine: number | null, limit: number, unit: Unit): Goal => {
    const isMet = (measured: number): boolean => (unit === '/s' ? measured >= limit : measured <= limit);
    const slower = unit === 'ms' ? pace.ms : pace['µs'];
    const there = mine === null || slower === null ? null : unit === '/s' ? mine * slower : mine / slower;
    return {
      what, goal: `${unit === '/s' ? '≥' : '≤'} ${write(limit, unit)}`, measured: mine === null ? null : write(mine, unit), ratio: mine === null ? null : mine / limit,
      met: mine === null ? null : isMet(mine), atReferencePace: there === null ? null : { measured: write(there, unit), met: isMet(there) },
    };
  };
  const [apps, redis] = [value(deja('miss-16', 'appsCpuUs')), value(deja('miss-16', 'redisCpuUs'))];
  return [
    against('added p50, one at a time, miss in a scope without semantic entries', deja('miss', 'addedP50Ms'), { side: 'portkey', case: 'miss', figure: 'addedP50Ms' }, 0.8, 'ms'),
    against('its p99', deja('miss', 'addedP99Ms'), { side: 'portkey', case: 'miss', figure: 'addedP99Ms' }, 1, 'ms'),
    against(`added p50 after a semantic look-up that misses, ${report.effort.entries.toLocaleString('en-US')} entries in the scope`, deja('look-up-miss', 'addedP50Ms'), { side: 'portkey', case: 'miss', figure: 'addedP50Ms' }, 1.2, 'ms'),
    within('added time to the first chunk, p50', value(deja('first-chunk', 'addedP50Ms')), 2, 'ms'),
    against('the same', deja('first-chunk', 'addedP50Ms'), { side: 'bare', case: 'first-chunk', figure: 'addedP50Ms' }, 2, 'ms'),
    within('gateway CPU a request, miss, 16 clients', value(deja('miss-16', 'gatewayCpuUs')), 450, 'µs'),
    within('all apps and Redis, CPU a request', apps === null || redis === null ? null : apps + redis, 1000, 'µs'),
    against('requests a second of one gateway process, 64 clients', deja('miss-64', 'perSecond'), { side: 'portkey', case: 'miss-64', figure: 'perSecond' }, 2, '/s'),
    within('exact hit, p50', value(deja('exact-hit', 'p50Ms')), 0.5, 'ms'),
    within('exact hits a second, 16 clients', value(deja('exact-hit-16', 'perSecond')), 6000, '/s'),
    within('semantic hit, p50', value(deja('semantic-hit', 'p50Ms')), 1.2, 'ms'),
    against('p99 at 500 requests a second by the clock', deja('open-500', 'p99Ms'), { side: 'portkey', case: 'open-500', figure: 'p99Ms' }, 1, 'ms'),
    against('64 paced streams: longest gap, p99', deja('streams-64', 'gapP99Ms'), { side: 'bare', case: 'streams-64', figure: 'gapP99Ms' }, 1.1, 'ms'),
    within('64 paced streams: gateway CPU a stream', value(deja('streams-64', 'gatewayCpuUs')), 1500, 'µs'),
  ];
}
