import type { AlertObject, SilenceObject } from '@deja/admin-api';
import type { AlertConfig, Secret } from '@deja/config';
import { DejaError, shownReceiver, type AlertReceiver, type AlertRule, type ShownReceiver } from '@deja/contracts';
import type { StoredRule } from './alert-rules.repository.ts';
import type { StoredSilence } from './alert-silences.repository.ts';

/** A rule of deja.yaml as the admin API shows it. */
export function fileAlert({ rule, receivers }: AlertConfig): AlertObject {
  return alertObject(rule, receivers.map(shownSecret), null, null);
}

/** A rule of the admin API. */
export function storedAlert(row: StoredRule): AlertObject {
  return alertObject(storedRule(row), row.shown, row.createdAt, row.updatedAt);
}

export function storedRule({ id, name, enabled, condition, groupBy, repeatS }: StoredRule): AlertRule {
  return { id, name, source: 'api', enabled, when: condition, group_by: groupBy, repeat_s: repeatS };
}

/** What may be said of a receiver of the file. */
export function shownSecret({ value }: { value: Secret }): ShownReceiver {
  const receiver: AlertReceiver = JSON.parse(value.reveal());
  return shownReceiver(receiver);
}

function alertObject({ id, name, source, enabled, when, group_by: groupBy, repeat_s: repeatS }: AlertRule, notify: ShownReceiver[], createdAt: Date | null, updatedAt: Date | null): AlertObject {
  return { object: 'alert', id, name, source, enabled, when, notify, group_by: groupBy, repeat_s: repeatS, created_at: createdAt?.toISOString() ?? null, updated_at: updatedAt?.toISOString() ?? null };
}

export function silenceObject({ id, alert, labels, startsAt, endsAt, comment, createdBy, createdAt }: StoredSilence): SilenceObject {
  return {
    object: 'alert_silence', id, alert, labels: labels as SilenceObject['labels'], starts_at: startsAt.toISOString(), ends_at: endsAt.toISOString(), comment, created_by: createdBy, created_at: createdAt.toISOString(),
  };
}

export const noAlert = (): DejaError => new DejaError('not_found', 'There is no alert rule with this id: GET /admin/v1/alerts lists those there are.', { param: 'id' });
