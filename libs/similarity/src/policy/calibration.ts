import { readFile } from 'node:fs/promises';
import { VERDICT_KINDS, type VerdictKind } from '../verify/verdict.ts';

/** Evidence as counts: so many answers that were wrong, so many that were right. Neither need be whole; both > 0. */
export interface PseudoCounts {
  wrong: number;
  right: number;
}

/** The sum of the counts says how much local evidence it takes to move them. */
export interface KindPrior extends PseudoCounts {
  /** Share of the tenants for whom they do not hold, in [0, ½]: the more, the sooner local evidence overrules them. */
  strangers: number;
}

/** What is believed before a tenant has evidence of its own (`models/calibration/calibration.json`). */
export interface Calibration {
  /** `id/version`. */
  name: string;
  /** How often each kind of match is wrong. */
  kinds: Record<VerdictKind, KindPrior>;
  /** What is believed of tenants whose traffic is not like the calibration's. */
  stranger: PseudoCounts;
  /** How often the comparison of an audit errs: it finds right answers different (`falseAlarm`), or wrong ones the same (`missed`). In [0, ½). */
  comparison: { falseAlarm: number; missed: number };
  /** After so many days an observation counts half. */
  halfLifeDays: number;
}

/** Reads the shipped calibration from its folder. Throws an Error where a number is missing or out of its range. */
export async function readCalibration(folder: URL): Promise<Calibration> {
  return parseCalibration(JSON.parse(await readFile(new URL('calibration.json', folder), 'utf8')) as unknown);
}

/** Throws an Error that names the field. */
export function parseCalibration(value: unknown): Calibration {
  const root = record(value, 'calibration');
  const kinds = record(root['kinds'], 'kinds');
  const counts = (of: unknown, at: string): PseudoCounts => {
    const { wrong, right } = record(of, at);
    return { wrong: number(wrong, `${at}.wrong`, 1e-6, 1e6), right: number(right, `${at}.right`, 1e-6, 1e6) };
  };
  const comparison = record(root['comparison'], 'comparison');
  const kind = (of: unknown, at: string): KindPrior => ({ ...counts(of, at), strangers: number(record(of, at)['strangers'], `${at}.strangers`, 0, 0.5) });
  return {
    name: `${String(root['id'])}/${String(root['version'])}`,
    kinds: Object.fromEntries(VERDICT_KINDS.map((name) => [name, kind(kinds[name], `kinds.${name}`)])) as Record<VerdictKind, KindPrior>,
    stranger: counts(root['stranger'], 'stranger'),
    comparison: {
      falseAlarm: number(comparison['falseAlarm'], 'comparison.falseAlarm', 0, 0.49),
      missed: number(comparison['missed'], 'comparison.missed', 0, 0.49),
    },
    halfLifeDays: number(root['halfLifeDays'], 'halfLifeDays', 0.01, 1e5),
  };
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`The calibration has no ${at}.`);
  return value as Record<string, unknown>;
}

function number(value: unknown, at: string, low: number, high: number): number {
  if (typeof value !== 'number' || !(value >= low && value <= high)) throw new Error(`${at} of the calibration is not a number from ${low} to ${high}.`);
  return value;
}
