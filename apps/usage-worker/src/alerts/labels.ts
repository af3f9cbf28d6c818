import { createHash } from 'node:crypto';
import { ALERT_LABELS, type AlertLabels, type AlertSilence } from '@deja/contracts';
import { storable } from '../ledger/json.ts';

/** One alert's id: a hash of its rule and its labels, in the form of a UUID. */
export function alertId(rule: string, labels: AlertLabels): string {
  const named = ALERT_LABELS.map((label) => labels[label] ?? null);
  return asUuid(createHash('sha256').update(JSON.stringify([rule, ...named])).digest('hex'));
}

/** The labels in the order of the contracts, as Postgres can store them, without those that are absent. */
export function tidyLabels(labels: { [Label in keyof AlertLabels]?: string | null | undefined }): AlertLabels {
  const tidy: AlertLabels = {};
  for (const label of ALERT_LABELS) {
    const text = labels[label];
    if (typeof text === 'string') tidy[label] = storable(text);
  }
  return tidy;
}

/** The silence that is in force for an alert; null where there is none. `atMs`: Unix. */
export function silenceOf(silences: readonly AlertSilence[], alert: string, labels: AlertLabels, atMs: number): AlertSilence | null {
  return silences.find((silence) => matches(silence, alert, labels) && silence.startsAtMs <= atMs && atMs < silence.endsAtMs) ?? null;
}

function matches(silence: AlertSilence, alert: string, labels: AlertLabels): boolean {
  if (silence.alert !== null && silence.alert !== alert) return false;
  return ALERT_LABELS.every((label) => silence.labels[label] === undefined || silence.labels[label] === labels[label]);
}

const asUuid = (hex: string): string => `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
