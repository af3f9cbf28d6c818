import type { Logger } from '@deja/telemetry';
import { Loops } from './loops.ts';
import { LEDGER_RECONCILE_INTERVAL_MS, type LedgerReconciler } from './reconcile/ledger-reconciler.ts';
import type { Retention } from './retention/retention.ts';
import type { Room } from './room.ts';
import type { SettingsWatch } from './settings-watch.ts';

const SETTINGS_INTERVAL_MS = 500;
const RETENTION_INTERVAL_MS = 10 * 60_000;

export interface LedgerCareParts {
  settings: SettingsWatch;
  retention: Retention;
  reconciler: LedgerReconciler;
  logger: Pick<Logger, 'warn'>;
}

/** Follows the settings, drops what is to be kept no longer, and compares the ledger with what gateways accepted. */
export class LedgerCare implements Room {
  private readonly parts: LedgerCareParts;
  private readonly loops: Loops;

  constructor(parts: LedgerCareParts) {
    this.parts = parts;
    this.loops = new Loops(parts.logger);
  }

  async start(): Promise<void> {
    const { settings, retention, reconciler } = this.parts;
    await settings.look().catch(() => undefined); // the loop says so
    this.loops.begin(SETTINGS_INTERVAL_MS, () => settings.look(), 'the settings could not be read, trying again');
    this.loops.begin(RETENTION_INTERVAL_MS, () => retention.run(Date.now(), this.loops.signal), 'what is to be kept no longer could not be dropped; the next round does');
    this.loops.begin(LEDGER_RECONCILE_INTERVAL_MS, () => reconciler.reconcile(), 'the ledger could not be compared with what was accepted; the next round does');
  }

  async stop(): Promise<void> {
    await this.loops.end();
  }
}
