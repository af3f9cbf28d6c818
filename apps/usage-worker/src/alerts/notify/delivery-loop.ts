import { shownReceiver, type AlertReceiver, type Smtp } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { AlertSettingsWatch } from '../alert-settings.ts';
import { silenceOf } from '../labels.ts';
import { pauseAfter, pauseOfTest } from './backoff.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import type { DeliveryStore, DueDelivery } from './delivery-store.ts';
import { NotTaken, send, type SendingTo } from './sender.ts';

/** Tried at once; a receiver that hangs keeps few others waiting. */
const MOST_AT_ONCE = 16;
/** For so long this replica may not have heard of a rule that the evaluating one knows. */
const UNKNOWN_MS = 60_000;
/** A silence may be ended before its time. */
const SILENCE_LOOK_MS = 60_000;
const SILENCED = 'a silence is in force: it is told when that is over and it fires still';

export interface DeliveryParts {
  store: DeliveryStore;
  settings: Pick<AlertSettingsWatch, 'look' | 'settings' | 'receivers' | 'open'>;
  /** `outbound.allow` in force. */
  allowed: () => readonly string[];
  metrics: Pick<DeliveryMetrics, 'delivered'>;
  logger: Pick<Logger, 'warn'>;
  now?: () => number;
  random?: () => number;
}

/** Tells receivers what is due. At least once: a replica that dies between telling and noting leads to a second time, under the same id. */
export class DeliveryLoop {
  constructor(private readonly parts: DeliveryParts) {}

  /** Something is due now: whoever wrote it need not wait for the next round. */
  wake(): void {
    this.deliver().catch(() => undefined); // the next round says what is wrong
  }

  /** Everything that is due now. Rejects when Postgres fails; what was taken is due again a minute later. */
  async deliver(): Promise<void> {
    const { store, settings, metrics, now = Date.now } = this.parts;
    if (settings.settings() === null) return; // nobody knows yet where to
    for (;;) {
      for (let dropped = await store.dropOver(now()); dropped > 0; dropped -= 1) metrics.delivered('failed');
      const due = await store.claim(MOST_AT_ONCE, now());
      await Promise.all(due.map((one) => this.tell(one)));
      if (due.length < MOST_AT_ONCE) return;
    }
  }

  private async tell(delivery: DueDelivery): Promise<void> {
    const { store, metrics, logger, now = Date.now, random = Math.random } = this.parts;
    const silencedUntilMs = this.silencedUntil(delivery, now());
    if (silencedUntilMs !== null) return store.putOff(delivery.id, SILENCED, Math.min(silencedUntilMs, now() + SILENCE_LOOK_MS));
    try {
      await send(delivery.payload, await this.receiverOf(delivery), now());
      await store.delivered(delivery.id, now());
      metrics.delivered('delivered');
    } catch (error) {
      if (!(error instanceof NotTaken)) throw error;
      const isGone = error instanceof NoSuchReceiver && now() - delivery.created_at.getTime() > UNKNOWN_MS;
      const pause = delivery.payload.test === true ? pauseOfTest : pauseAfter;
      const pauseMs = isGone ? null : pause(delivery.attempts, delivery.created_at.getTime(), now(), random());
      await store.failed(delivery.id, error.message, pauseMs === null ? null : now() + pauseMs);
      metrics.delivered(pauseMs === null ? 'failed' : 'retried');
      if (delivery.attempts === 1 || pauseMs === null) {
        logger.warn({ alert: delivery.payload.alert, receiver: delivery.shown.kind, attempts: delivery.attempts, reason: error.message }, pauseMs === null ? 'an alert could not be delivered and is given up' : 'an alert could not be delivered; it is tried again');
      }
    }
  }

  /** When the first silence ends, where all that fires still of what is to be told is silenced; else null. Unix ms. */
  private silencedUntil({ firing }: DueDelivery, nowMs: number): number | null {
    const silences = this.parts.settings.settings()?.silences ?? [];
    const inForce = firing.map(({ alert, labels }) => silenceOf(silences, alert, labels, nowMs));
    if (inForce.length === 0 || inForce.includes(null)) return null;
    return Math.min(...inForce.flatMap((silence) => silence?.endsAtMs ?? []));
  }

  private async receiverOf({ rule, receiver: index, shown }: DueDelivery): Promise<SendingTo> {
    const { settings, allowed } = this.parts;
    const inRule = async (): Promise<AlertReceiver | null> => (await settings.receivers(rule)).find((receiver, i) => i === index && isSame(receiver, shown)) ?? null;
    let receiver = await inRule();
    if (receiver === null) {
      await settings.look(); // who wrote this may know a newer rule
      receiver = await inRule();
    }
    if (receiver === null) throw new NoSuchReceiver('the rule has no such receiver any more');
    const known = settings.settings();
    const sealed = known?.smtp ?? null;
    const smtp = receiver.kind === 'email' && sealed !== null ? (JSON.parse(await settings.open(sealed)) as Smtp) : null;
    return { receiver, source: rule.startsWith('file:') ? 'file' : 'api', allowed: allowed(), smtp };
  }
}

class NoSuchReceiver extends NotTaken {}

function isSame(receiver: AlertReceiver, shown: DueDelivery['shown']): boolean {
  const { kind, to } = shownReceiver(receiver);
  return kind === shown.kind && to === shown.to;
}
