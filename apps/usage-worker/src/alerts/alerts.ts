import { newId } from '@deja/contracts';
import type { Meter } from '@opentelemetry/api';
import type { Pool } from '@deja/postgres';
import type { Logger } from '@deja/telemetry';
import { every } from '../every.ts';
import { AlertMetrics } from './alert-metrics.ts';
import { AlertSettingsWatch, type FetchSettings } from './alert-settings.ts';
import { EvaluatorTurn } from './evaluator-turn.ts';
import { Evaluator } from './evaluator.ts';
import type { OtherSources } from './readings/reading-context.ts';
import { RuleReader } from './readings/read-rules.ts';

const SETTINGS_INTERVAL_MS = 5_000;
const EVALUATION_INTERVAL_MS = 10_000;

export interface AlertsParts extends OtherSources {
  databaseUrl: string;
  /** For readings, on connections of their own. */
  pool: Pool;
  fetchSettings: FetchSettings;
  meter: Meter;
  logger: Pick<Logger, 'warn' | 'info'>;
}

/** Alerts of one replica: it follows the rules, and evaluates them where it is its turn. Who is told: notify/. */
export class Alerts {
  readonly settings: AlertSettingsWatch;
  private readonly evaluator: Evaluator;
  private readonly stopping = new AbortController();
  private loops: Promise<void>[] = [];
  private readonly logger: Pick<Logger, 'warn' | 'info'>;

  constructor(parts: AlertsParts) {
    const { databaseUrl, fetchSettings, logger } = parts;
    const metrics = new AlertMetrics(parts.meter);
    const reader = new RuleReader({ ...parts, metrics });
    this.logger = logger;
    this.settings = new AlertSettingsWatch(fetchSettings, logger);
    this.evaluator = new Evaluator({
      turn: new EvaluatorTurn(databaseUrl), settings: this.settings, metrics, logger, newId, read: (rules, settings, nowMs) => reader.read(rules, settings, nowMs),
    });
  }

  /** The tables must be there. */
  start(): void {
    const { signal } = this.stopping;
    const warn = (error: unknown): void => {
      if (!signal.aborted) this.logger.warn({ err: error }, 'alerts could not be evaluated; the next round does');
    };
    this.loops = [every(SETTINGS_INTERVAL_MS, signal, () => this.settings.look(), () => undefined), every(EVALUATION_INTERVAL_MS, signal, () => this.evaluator.evaluate(), warn)];
  }

  /** Ends with the evaluation under way, and gives the turn to another replica. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
    await this.evaluator.leave();
  }
}
