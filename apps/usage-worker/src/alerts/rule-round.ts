import type { AlertLabels, AlertMetric, AlertSilence } from '@deja/contracts';
import { alertId, silenceOf, tidyLabels } from './labels.ts';
import type { Reading } from './readings/reading.ts';
import type { RuleInForce } from './rule.ts';
import { closed, nextState, type AlertState, type Evidence, type Step, type Told } from './state.ts';

/** An alert that is pending or firing, as it is kept. */
export interface KeptAlert {
  id: string;
  rule: string;
  /** Name of the rule. */
  alert: string;
  /** Fingerprint of the condition that it began under. */
  fingerprint: string;
  metric: AlertMetric;
  labels: AlertLabels;
  state: AlertState;
}

/** What is to be told of which alert. */
export interface ToldOf {
  of: Omit<KeptAlert, 'state'>;
  told: Told;
}

export interface RuleRound {
  /** New or changed. */
  kept: KeptAlert[];
  /** Ids of those that are over. */
  over: string[];
  told: ToldOf[];
  /** How many more were above their threshold than one rule may have alerts. */
  cut: number;
}

/** A rule has so many alerts at most: one that names each of a million users must not fill table and mailbox. */
export const MOST_ALERTS = 1000;
/** Beyond its window, an alert of which nothing is known any more lasts so long. */
const UNKNOWN_MS = 3_600_000;

/** One rule in one evaluation: what was read and what was kept of it become what is kept and told now. Kept alerts of another condition are over. */
export function ruleRound(rule: RuleInForce, readings: readonly Reading[], kept: readonly KeptAlert[], silences: readonly AlertSilence[], nowMs: number): RuleRound {
  const round: RuleRound = { kept: [], over: [], told: [], cut: 0 };
  const current = new Map(kept.filter(({ fingerprint }) => fingerprint === rule.fingerprint).map((alert) => [alert.id, alert]));
  const read = new Map(readings.map((reading) => tidied(rule, reading)).map((one) => [one.id, one]));
  const fresh = [...read.values()].filter(({ id, evidence }) => evidence.kind === 'above' && !current.has(id)).toSorted((one, other) => other.excess - one.excess);
  const admitted = fresh.slice(0, Math.max(0, MOST_ALERTS - current.size));
  round.cut = fresh.length - admitted.length;

  const patience = { forMs: rule.condition.forMs, clearMs: rule.condition.clearMs, repeatMs: rule.repeatMs, unknownMs: rule.condition.windowMs + UNKNOWN_MS };
  const step = (of: Omit<KeptAlert, 'state'>, before: AlertState | null, evidence: Evidence): void => {
    const silence = silenceOf(silences, of.alert, of.labels, nowMs)?.id ?? null;
    take(round, of, before, nextState(before, evidence, patience, silence, nowMs), rule.metric.endIsTold);
  };
  // The end of what another condition began comes before what this one begins.
  for (const alert of kept) if (alert.fingerprint !== rule.fingerprint) end(round, alert, silences, rule.metric.endIsTold, nowMs);
  for (const { state, ...alert } of current.values()) {
    const absent: Evidence = rule.metric.absent === 'fine' ? { kind: 'fine', value: 0, threshold: state.threshold } : { kind: 'unknown' };
    step({ ...alert, alert: rule.alert }, state, read.get(alert.id)?.evidence ?? absent);
  }
  for (const { id, labels, evidence } of admitted) step({ id, rule: rule.id, alert: rule.alert, fingerprint: rule.fingerprint, metric: rule.condition.metric, labels }, null, evidence);
  // An id may be over for one condition and kept for the other.
  round.over = round.over.filter((id) => !round.kept.some((alert) => alert.id === id));
  return round;
}

/** The end of all that a rule had, which is gone or off. */
export function endOfRule(kept: readonly KeptAlert[], silences: readonly AlertSilence[], isTold: boolean, nowMs: number): RuleRound {
  const round: RuleRound = { kept: [], over: [], told: [], cut: 0 };
  for (const alert of kept) end(round, alert, silences, isTold, nowMs);
  return round;
}

function end(round: RuleRound, { state, ...of }: KeptAlert, silences: readonly AlertSilence[], isTold: boolean, nowMs: number): void {
  take(round, of, state, closed(state, silenceOf(silences, of.alert, of.labels, nowMs)?.id ?? null, nowMs), isTold);
}

function take(round: RuleRound, of: Omit<KeptAlert, 'state'>, before: AlertState | null, { state, told }: Step, endIsTold: boolean): void {
  if (state !== null) round.kept.push({ ...of, state });
  else if (before !== null) round.over.push(of.id);
  if (told !== null && (told.state === 'firing' || endIsTold)) round.told.push({ of, told });
}

function tidied(rule: RuleInForce, { labels: given, value, threshold }: Reading): { id: string; labels: AlertLabels; evidence: Evidence; excess: number } {
  const labels = tidyLabels(given);
  const id = alertId(rule.id, labels);
  if (value === null || !Number.isFinite(value)) return { id, labels, evidence: { kind: 'unknown' }, excess: 0 };
  return { id, labels, evidence: { kind: value > threshold ? 'above' : 'fine', value, threshold }, excess: threshold > 0 ? value / threshold : value };
}
