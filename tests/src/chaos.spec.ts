import { beforeAll, expect, test } from '@jest/globals';
import { verdicts, type Verdict } from '../chaos/promises.ts';
import { chaos, type ChaosRun } from '../chaos/run.ts';
import type { Kind, Target } from '../chaos/schedule.ts';

const SECONDS = 32;
/** One of each tier, and one of each kind. */
const FAULTS: [Target, Kind][] = [['gateway', 'kill'], ['router', 'stop'], ['semantic-cache', 'reset'], ['usage-worker', 'kill'], ['provider', 'drop'], ['postgres', 'reset'], ['redis', 'delay'], ['gateway', 'restart'], ['provider', 'errors']];
const LEASE_S = 6;

let run: ChaosRun;
let found: Verdict[];
beforeAll(async () => {
  run = await chaos({
    seed: 22, faults: FAULTS.length, pairs: FAULTS, lastsMs: SECONDS * 1000, perSecond: 15, calmMs: 1000, lengthMs: { least: 600, most: 1200 }, settlesMs: 120_000, liveMemoryEveryMs: 10_000, firstByteMs: 20_000,
    env: { DEJA_LEASE_S: String(LEASE_S), DEJA_DRAIN_DELAY_S: '1' },
  });
  found = verdicts(run.evidence);
}, 600_000);

const brokenIn = (row: number | null): string[] => found.filter((verdict) => verdict.row === row).flatMap(({ broken }) => broken);
const counts = (row: number | null): Record<string, number> => Object.assign({}, ...found.filter((verdict) => verdict.row === row).map((verdict) => verdict.counts)) as Record<string, number>;

test('all faults happened, and clients asked all the while', () => {
  expect(run.evidence.faults).toHaveLength(FAULTS.length);
  expect(counts(5)['answered']).toBeGreaterThan(SECONDS);
});

test('while parts are killed, stopped, restarted and cut off, no request fails that a provider could serve', () => {
  expect(brokenIn(5)).toEqual([]);
});

test('while parts break, each accepted operation is in the ledger exactly once, and it agrees with the providers’ own logs to the nano-dollar', () => {
  expect(brokenIn(4)).toEqual([]);
  expect(counts(4)['nano-USD that agree']).toBeGreaterThan(0);
});

test('while parts break, nobody is told what another tenant was told', () => {
  expect(brokenIn(1)).toEqual([]);
  expect(counts(1)['hits among them']).toBeGreaterThan(0);
});

test('after all that broke, no credential and no client key is in clear in Redis, Postgres, a log or a metric', () => {
  expect(brokenIn(2)).toEqual([]);
});

test('while parts break, gateways admit no more than a limit together, and refuse only when it is used up', () => {
  expect(brokenIn(3)).toEqual([]);
});

test('a stream that was cut never looks complete, and is served from no cache', () => {
  expect(brokenIn(6)).toEqual([]);
  expect(counts(6)['streams']).toBeGreaterThan(0);
});

test('while parts break that are not on its way, a change of a key, a limit or a cached answer is in force within a second', () => {
  expect(brokenIn(7)).toEqual([]);
  expect(counts(7)['later than a second']).toBeGreaterThan(0);
});

test('while parts break, bad input is refused as such and reaches no provider', () => {
  expect(brokenIn(8)).toEqual([]);
  expect(counts(8)['bad requests']).toBeGreaterThan(SECONDS);
});

test('stops and rolling restarts lose nothing', () => {
  expect(brokenIn(9)).toEqual([]);
  expect(counts(9)['restarts']).toBeGreaterThan(0);
});

test('each process can be looked into while it works', () => {
  const seen = run.evidence.memory.filter(({ of, mib }) => of === 'live' && mib > 5).map(({ process }) => process);
  expect([...new Set(seen)].toSorted()).toEqual(['gateway', 'router', 'semantic-cache', 'usage-worker'].flatMap((app) => [`${app}-1`, `${app}-2`]));
});

test('in the end all are ready, and no lease, no held money, no open operation and no queued event is left', () => {
  expect(brokenIn(null)).toEqual([]);
});
