import { createHash } from 'node:crypto';
import { ALERT_LABELS, type AlertCondition, type AlertLabel, type AlertRule } from '@deja/contracts';
import { conditionInForce, METRIC_DEFAULTS, type ConditionInForce, type MetricDefaults } from './metric-defaults.ts';

/** A rule with nothing left open. */
export interface RuleInForce {
  id: string;
  /** Its name. */
  alert: string;
  condition: ConditionInForce;
  /** Hash of what is written of the condition: an alert of another one is over. */
  fingerprint: string;
  metric: MetricDefaults;
  groupBy: readonly AlertLabel[];
  repeatMs: number | null;
}

export function ruleInForce({ id, name, when, group_by: groupBy, repeat_s: repeatS }: AlertRule): RuleInForce {
  return {
    id,
    alert: name,
    condition: conditionInForce(when),
    fingerprint: fingerprintOf(when),
    metric: METRIC_DEFAULTS[when.metric],
    groupBy: ALERT_LABELS.filter((label) => groupBy.includes(label)),
    repeatMs: repeatS === null ? null : 1000 * repeatS,
  };
}

/** In whichever order its members were written. */
function fingerprintOf(when: AlertCondition): string {
  const written = Object.entries(when).filter(([, value]) => value !== undefined).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(written)).digest('hex').slice(0, 32);
}
