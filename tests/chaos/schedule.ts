import { pick, randomFrom, shuffled } from './random.ts';

export const APPS = ['gateway', 'router', 'semantic-cache', 'usage-worker'] as const;
export const TARGETS = [...APPS, 'redis', 'postgres', 'provider'] as const;
export type Target = (typeof TARGETS)[number];

/**
 * `kill`: SIGKILL, and started again. `stop`: SIGSTOP, later SIGCONT. `restart`: SIGTERM and started again, of an app one replica after the other.
 * `drop`, `delay`, `reset`: what becomes of its connections. `errors`, `rate-limits`: what a provider answers, half of the time.
 */
export const KINDS = ['kill', 'stop', 'restart', 'drop', 'delay', 'reset', 'errors', 'rate-limits'] as const;
export type Kind = (typeof KINDS)[number];

const OF_PROCESSES: readonly Kind[] = ['kill', 'stop', 'restart', 'drop', 'delay', 'reset'];
/** A provider is a server of somebody else: that it restarts is a kill to its clients. */
const OF_PROVIDERS: readonly Kind[] = ['kill', 'stop', 'drop', 'delay', 'reset', 'errors', 'rate-limits'];
export const kindsOf = (target: Target): readonly Kind[] => (target === 'provider' ? OF_PROVIDERS : OF_PROCESSES);
export const PAIRS: readonly [Target, Kind][] = TARGETS.flatMap((target) => kindsOf(target).map((kind): [Target, Kind] => [target, kind]));

/** One thing that goes wrong. Milliseconds from the beginning. */
export interface PlannedFault {
  target: Target;
  kind: Kind;
  /** Which of its replicas, from 1; 1 where there is one. */
  n: number;
  startMs: number;
  /** How long it lasts; of a kill and a restart, how long it may take until all is well again. */
  lengthMs: number;
}

export interface ScheduleOptions {
  seed: number;
  lastsMs: number;
  faults: number;
  /** Of a stop, a partition, a bad mood. */
  lengthMs: { least: number; most: number };
  /** Before the first fault, and after each. */
  calmMs: number;
  /** Replicas of each app, and providers. */
  replicas: number;
  /** Only these; all unless given. */
  pairs?: readonly [Target, Kind][];
}

/** Every third round has a second fault beside the first. */
const SECOND_EVERY = 3;
/** A provider and a usage-worker are on nobody's way to another provider: they may fail while something else does. */
const BESIDE: readonly Target[] = ['provider', 'usage-worker'];
/** These share what they would be measured by: a worker's queue is in Redis, and its rows in Postgres. */
const mayMeet = (one: Target, other: Target): boolean => one !== other && (BESIDE.includes(one) || BESIDE.includes(other)) && ![one, other].some((target) => target === 'redis' || target === 'postgres');

/**
 * What goes wrong, in order of its start: rounds of one fault, sometimes two of different tiers, with calm between them, so that at any time a provider could have
 * served. Each pair of a target and a kind comes as often as any other, give or take one. Throws where there is no time for so many.
 */
export function schedule(o: ScheduleOptions): PlannedFault[] {
  const random = randomFrom(o.seed);
  const rounds = roundsOf(dealt(random, o.pairs ?? PAIRS, o.faults), random);
  const roundMs = Math.floor((o.lastsMs - o.calmMs) / rounds.length);
  if (roundMs < o.lengthMs.most + o.calmMs) throw new Error(`${o.faults} faults of up to ${o.lengthMs.most} ms with ${o.calmMs} ms of calm do not fit into ${o.lastsMs} ms`);
  return rounds.flatMap((round, i) => {
    const fromMs = o.calmMs + i * roundMs;
    return round.map(([target, kind]): PlannedFault => {
      const lengthMs = Math.round(o.lengthMs.least + random() * (o.lengthMs.most - o.lengthMs.least));
      const latestMs = roundMs - o.calmMs - lengthMs;
      return { target, kind, n: replicaOf(target, o.replicas, random), startMs: fromMs + Math.round(random() * Math.min(latestMs, o.lengthMs.least / 2)), lengthMs };
    });
  }).toSorted((a, b) => a.startMs - b.startMs);
}

const replicaOf = (target: Target, replicas: number, random: () => number): number => (target === 'redis' || target === 'postgres' ? 1 : 1 + Math.floor(random() * replicas));

/** So many pairs: all of them in random order, again and again. */
function dealt(random: () => number, pairs: readonly [Target, Kind][], count: number): [Target, Kind][] {
  const all: [Target, Kind][] = [];
  while (all.length < count) all.push(...shuffled(random, pairs));
  return all.slice(0, count);
}

function roundsOf(faults: [Target, Kind][], random: () => number): [Target, Kind][][] {
  const left = [...faults];
  const rounds: [Target, Kind][][] = [];
  for (let first = left.shift(); first !== undefined; first = left.shift()) {
    const [target] = first;
    const fitting = rounds.length % SECOND_EVERY === SECOND_EVERY - 1 ? left.filter(([other]) => mayMeet(target, other)) : [];
    const second = fitting.length > 0 ? pick(random, fitting) : null;
    if (second !== null) left.splice(left.indexOf(second), 1);
    rounds.push(second === null ? [first] : [first, second]);
  }
  return rounds;
}
