import { createHash } from 'node:crypto';
import type { AlertConfig, DejaConfig } from '@deja/config';
import type { AlertSettings, AlertSilence, RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { onDatabase } from '../admin/database-trouble.ts';
import type { ConfigurationInForce } from '../configuration-in-force.ts';
import { sealerTo, type SealFor } from '../vault/lease.ts';
import type { AlertInputsRepository, Everyone } from './alert-inputs.repository.ts';
import { storedRule } from './alert-object.ts';
import type { AlertRulesRepository, StoredRule } from './alert-rules.repository.ts';
import type { AlertSilencesRepository, StoredSilence } from './alert-silences.repository.ts';
import type { SealedReceivers } from './sealed-receivers.ts';

type Rule = AlertSettings['rules'][number];

export interface AlertDirectoryOptions {
  rules: AlertRulesRepository;
  silences: AlertSilencesRepository;
  inputs: AlertInputsRepository;
  receivers: SealedReceivers;
  inForce: Pick<ConfigurationInForce, 'configuration' | 'alertsVersion' | 'isClusters'>;
  logger: Pick<Logger, 'warn'>;
  now?: () => number;
}

/** What alerts are decided and sent by, for who does: rules of deja.yaml and of the admin API, silences, budgets, and how e-mail is sent. */
export class AlertDirectory {
  /** Names of the admin API's rules that rest, as the log has it. */
  #resting = '';

  constructor(private readonly o: AlertDirectoryOptions) {}

  /** Asked every few seconds: costs one small query while nothing has changed. Throws `overloaded` when Postgres or who keeps the master key is away. */
  async settings({ known, publicKey }: RouterRpc['alert_settings']['request']): Promise<RouterRpc['alert_settings']['reply']> {
    const { inForce, inputs } = this.o;
    // While replicas are given another file one after the other, rules are not to go and come back with whoever is asked.
    if (known !== null && !(await inForce.isClusters())) return { settings: null };
    const at = new Date((this.o.now ?? Date.now)());
    const { configuration, alertsVersion } = inForce;
    const everyone = everyoneWithBudgets(configuration);
    return onDatabase(async () => {
      const version = createHash('sha256').update(JSON.stringify([alertsVersion, everyone, await inputs.state(at)])).digest('base64url').slice(0, 22);
      return { settings: version === known ? null : await this.#settings(version, configuration, at, await sealerTo(publicKey)) };
    });
  }

  async #settings(version: string, { alerts, smtp, ...config }: DejaConfig, at: Date, sealFor: SealFor): Promise<AlertSettings> {
    const [stored, silences, budgets] = await Promise.all([this.o.rules.all(), this.o.silences.all(at), this.o.inputs.budgets(at, everyoneWithBudgets(config))]);
    const names = new Set(alerts.map(({ rule }) => rule.name));
    this.#noteResting(stored.filter(({ name }) => names.has(name)).map(({ name }) => name));
    return {
      version,
      rules: [
        ...(await Promise.all(alerts.map((alert) => fileRule(alert, sealFor)))),
        ...(await Promise.all(stored.filter(({ name }) => !names.has(name)).map((row) => this.#storedRule(row, sealFor)))),
      ],
      silences: silences.map(silence),
      smtp: smtp === null ? null : await sealFor('smtp', Buffer.from(smtp.reveal())),
      budgets,
    };
  }

  async #storedRule(row: StoredRule, sealFor: SealFor): Promise<Rule> {
    const text = await this.o.receivers.open(row);
    try {
      return { ...storedRule(row), receivers: await sealFor(row.id, text) };
    } finally {
      text.fill(0);
    }
  }

  /** One line a change is enough. */
  #noteResting(names: string[]): void {
    const resting = names.toSorted().join(', ');
    if (resting !== this.#resting && resting !== '') this.o.logger.warn({ alerts: resting }, 'alert rules of the admin API rest while deja.yaml has rules of the same names: delete or rename them');
    this.#resting = resting;
  }
}

/** Of whom a budget of deja.yaml holds for each that has none of its own. */
const everyoneWithBudgets = ({ settings: { budgets } }: Pick<DejaConfig, 'settings'>): Everyone => ({ tenants: budgets.per_tenant.length > 0, keys: budgets.per_key.length + budgets.per_user.length > 0 });

async function fileRule({ rule, receivers }: AlertConfig, sealFor: SealFor): Promise<Rule> {
  // Each is JSON already.
  return { ...rule, receivers: await sealFor(rule.id, Buffer.from(`[${receivers.map(({ value }) => value.reveal()).join(',')}]`)) };
}

const silence = ({ id, alert, labels, startsAt, endsAt, comment }: StoredSilence): AlertSilence => ({ id, alert, labels, startsAtMs: startsAt.getTime(), endsAtMs: endsAt.getTime(), comment });
