import { shownReceiver, type AlertReceiver, type AlertSettings } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { ClientBase } from 'pg';
import type { AlertMetrics } from './alert-metrics.ts';
import { forgetEvents, keptAlerts, writeRound } from './alert-store.ts';
import type { EvaluatorTurn } from './evaluator-turn.ts';
import { METRIC_DEFAULTS } from './metric-defaults.ts';
import type { Reading } from './readings/reading.ts';
import { endOfRule, ruleRound, type KeptAlert, type RuleRound } from './rule-round.ts';
import { ruleInForce, type RuleInForce } from './rule.ts';
import { toldRows, type ToldRows } from './tell.ts';

/** What each of the rules reads now; null where it could not be read. Never rejects. */
export type Read = (rules: readonly RuleInForce[], settings: AlertSettings, nowMs: number) => Promise<Map<string, Reading[] | null>>;

export interface EvaluatorParts {
  turn: Pick<EvaluatorTurn, 'take' | 'leave' | 'isTaken'>;
  settings: { settings(): AlertSettings | null; receivers(rule: string): Promise<AlertReceiver[]> };
  read: Read;
  metrics: AlertMetrics;
  logger: Pick<Logger, 'warn' | 'info'>;
  newId: () => string;
  now?: () => number;
}

const HOUR_MS = 3_600_000;
const EVENTS_KEPT_MS = 90 * 24 * HOUR_MS;

interface Decided extends ToldRows {
  rounds: RuleRound[];
}

/** Evaluates all rules, where it is this replica's turn: what changes is written with its events and deliveries, all of it or nothing. */
export class Evaluator {
  private readonly parts: EvaluatorParts;
  /** Ids of rules whose alerts were cut, so that it is said once. */
  private cut = new Set<string>();
  private forgotAtMs = 0;

  constructor(parts: EvaluatorParts) {
    this.parts = parts;
  }

  /** One evaluation. Rejects while Postgres is away: nothing has changed then, or what was decided is there as a whole. */
  async evaluate(): Promise<void> {
    const { turn, settings: known, metrics, now = Date.now } = this.parts;
    const settings = known.settings();
    const client = await turn.take();
    metrics.turnTaken(client !== null);
    // Without settings nobody knows which rules there are: that is not the same as none.
    if (client === null || settings === null) return;
    const startedMs = now();
    const rules = settings.rules.filter(({ enabled }) => enabled).map(ruleInForce);
    const readings = await this.parts.read(rules, settings, startedMs);
    const decided = await inTransactionOf(client, async () => {
      const round = await this.decide(settings, rules, readings, await keptAlerts(client), startedMs);
      await writeRound(client, { kept: round.rounds.flatMap(({ kept }) => kept), over: round.rounds.flatMap(({ over }) => over), events: round.events, deliveries: round.deliveries });
      if (startedMs - this.forgotAtMs > HOUR_MS) await forgetEvents(client, startedMs - EVENTS_KEPT_MS);
      return round;
    });
    if (startedMs - this.forgotAtMs > HOUR_MS) this.forgotAtMs = startedMs;
    this.account(decided);
    metrics.evaluated(now() - startedMs);
  }

  /** Another replica may take over. */
  async leave(): Promise<void> {
    await this.parts.turn.leave();
    this.parts.metrics.isEvaluator = false;
  }

  private async decide(settings: AlertSettings, rules: readonly RuleInForce[], readings: Map<string, Reading[] | null>, kept: readonly KeptAlert[], nowMs: number): Promise<Decided> {
    const decided: Decided = { rounds: [], events: [], deliveries: [] };
    const { silences } = settings;
    const byRule = Map.groupBy(kept, ({ rule }) => rule);
    for (const rule of rules) {
      const read = readings.get(rule.id) ?? null;
      if (read === null) continue; // what cannot be read changes nothing
      await this.tell(decided, rule, ruleRound(rule, read, byRule.get(rule.id) ?? [], silences, nowMs), nowMs);
    }
    const inForce = new Set(rules.map(({ id }) => id));
    for (const [id, alerts] of byRule) {
      const [first] = alerts;
      if (inForce.has(id) || first === undefined) continue;
      const off = settings.rules.find((rule) => rule.id === id);
      const rule = off === undefined ? { id, groupBy: [], alert: first.alert } : ruleInForce(off);
      await this.tell(decided, rule, endOfRule(alerts, silences, METRIC_DEFAULTS[first.metric].endIsTold, nowMs), nowMs);
    }
    return decided;
  }

  private async tell(decided: Decided, rule: Pick<RuleInForce, 'id' | 'alert' | 'groupBy'>, round: RuleRound, nowMs: number): Promise<void> {
    decided.rounds.push(round);
    if (round.cut > 0 && !this.cut.has(rule.id)) this.parts.logger.warn({ rule: rule.id, alert: rule.alert, cut: round.cut }, 'an alert rule would have more alerts than one rule may have; the rest is not told');
    if (round.cut > 0) this.cut.add(rule.id);
    else this.cut.delete(rule.id);
    if (round.told.length === 0) return;
    const receivers = await this.parts.settings.receivers(rule.id);
    const rows = toldRows({ rule: rule.id, groupBy: rule.groupBy, receivers: receivers.map(shownReceiver), told: round.told, nowMs, newId: this.parts.newId, cut: round.cut });
    decided.events.push(...rows.events);
    decided.deliveries.push(...rows.deliveries);
  }

  private account({ rounds, events }: Decided): void {
    const { metrics } = this.parts;
    const states = rounds.flatMap(({ kept }) => kept.map(({ state }) => state.phase));
    metrics.pending = states.filter((state) => state === 'pending').length;
    metrics.firing = states.length - metrics.pending;
    metrics.cut = rounds.reduce((sum, { cut }) => sum + cut, 0);
    for (const event of events) metrics.eventTold(event.silenced_by === null ? event.state : 'silenced');
  }
}

/** On this one session. Rejects with what the work or Postgres says. */
async function inTransactionOf<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
