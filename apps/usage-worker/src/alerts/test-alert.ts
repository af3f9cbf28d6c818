import { setTimeout as delay } from 'node:timers/promises';
import type { ReplyOf } from '@deja/admin-api';
import { DejaError, newId, shownReceiver } from '@deja/contracts';
import { inTransaction, isPassing, type Pool } from '@deja/postgres';
import type { AlertSettingsWatch } from './alert-settings.ts';
import { writeTold } from './alert-store.ts';
import { deliveriesOf } from './list-alerts.ts';
import { ruleInForce } from './rule.ts';
import { toldRows } from './tell.ts';

/** How long the caller waits for what becomes of it, and how often that is looked at. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 100;

export interface TestAlertParts {
  pool: Pool;
  settings: Pick<AlertSettingsWatch, 'look' | 'settings' | 'receivers'>;
  /** Wakes who delivers. */
  wake?: () => void;
}

/**
 * Writes a firing event that is marked as a test, with a delivery to each receiver of the rule, and waits up to `patienceMs` until each was tried. Also for a
 * rule that is disabled or silenced. Throws `not_found` for a rule that there is not, `overloaded` while rules or Postgres are away.
 */
export async function testAlert({ pool, settings, wake }: TestAlertParts, ruleId: string, nowMs: number, patienceMs = PATIENCE_MS): Promise<ReplyOf<'testAlert'>> {
  await settings.look(); // whoever has just made the rule, or changed its receivers, means what it is now
  const known = settings.settings();
  if (known === null) throw new DejaError('overloaded', 'Alert rules are not known yet. Try again shortly.', { retryAfterMs: 1000 });
  const found = known.rules.find(({ id }) => id === ruleId);
  if (found === undefined) throw new DejaError('not_found', 'There is no such alert rule.');
  const rule = ruleInForce(found);
  const receivers = (await settings.receivers(ruleId)).map(shownReceiver);
  const of = { id: newId(), rule: rule.id, alert: rule.alert, fingerprint: rule.fingerprint, metric: rule.condition.metric, labels: {} };
  const told = { state: 'firing', value: null, threshold: rule.condition.above ?? 0, seenAtMs: null, startedAtMs: nowMs, resolvedAtMs: null, silencedBy: null } as const;
  const rows = toldRows({ rule: rule.id, groupBy: [], receivers, told: [{ of, told }], nowMs, newId, isTest: true });
  try {
    await inTransaction(pool, (client) => writeTold(client, rows));
    wake?.();
    const notification = rows.deliveries[0]?.notification;
    return { object: 'alert_test', deliveries: notification === undefined ? [] : await tried(pool, notification, patienceMs) };
  } catch (error) {
    if (isPassing(error)) throw new DejaError('overloaded', 'The ledger does not answer at the moment. Try again shortly.', { retryAfterMs: 1000, cause: error });
    throw error;
  }
}

/** Deliveries when each was delivered, given up, or failed once; or as they are when the patience is over. */
async function tried(pool: Pool, notification: string, patienceMs: number): Promise<ReplyOf<'testAlert'>['deliveries']> {
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const deliveries = (await deliveriesOf(pool, [notification])).get(notification) ?? [];
    if (waitedMs >= patienceMs || deliveries.every(({ state, error }) => state !== 'waiting' || error !== null)) return deliveries;
    await delay(LOOK_MS);
  }
}
