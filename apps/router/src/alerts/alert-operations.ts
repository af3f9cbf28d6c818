import type { AlertObject, BodyOf } from '@deja/admin-api';
import { DejaError, newId, shownReceiver, type AdminChange } from '@deja/contracts';
import { checkMatch, etagOf } from '../admin/changes.ts';
import type { Handlers } from '../admin/handlers.ts';
import { afterOf, isUuid, pageOf } from '../admin/pages.ts';
import type { ConfigurationInForce } from '../configuration-in-force.ts';
import type { Transaction } from '../schema/transaction.ts';
import { fileAlert, noAlert, storedAlert } from './alert-object.ts';
import type { AlertRulesRepository, RuleChange, StoredRule } from './alert-rules.repository.ts';
import type { AlertSilencesRepository } from './alert-silences.repository.ts';
import { nameTaken } from './name-taken.ts';
import { receiversOf } from './receivers.ts';
import type { SealedReceivers } from './sealed-receivers.ts';

const LIST = 'alerts';
const OF_FILE = /^file:[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface AlertParts {
  rules: AlertRulesRepository;
  silences: AlertSilencesRepository;
  receivers: Pick<SealedReceivers, 'seal'>;
  inForce: Pick<ConfigurationInForce, 'configuration' | 'addressProblem'>;
  now?: () => number;
}

type AlertOperation = 'createAlert' | 'listAlerts' | 'getAlert' | 'updateAlert' | 'deleteAlert';

/** The operations of the admin API on alert rules. Those of deja.yaml are shown, and changed there. */
export const alertOperations = (parts: AlertParts): Pick<Handlers, AlertOperation> => new AlertOperations(parts);

class AlertOperations implements Pick<Handlers, AlertOperation> {
  constructor(private readonly parts: AlertParts) {}

  readonly createAlert: Handlers['createAlert'] = async ({ body: { name, enabled, when, notify, group_by: groupBy, repeat_s: repeatS } }, tx) => {
    this.#checkName(name);
    const id = newId();
    const at = this.#moment();
    const row = await this.parts.rules.insert(tx, { id, name, enabled, condition: when, groupBy, repeatS, ...(await this.#told(id, notify)), createdAt: at, updatedAt: at });
    const body = storedAlert(row);
    return { body, etag: etagOf(row.revision), audit: { action: 'createAlert', resource: 'alert', resourceId: id, tenant: null, before: null, after: body } };
  };

  readonly listAlerts: Handlers['listAlerts'] = async ({ query: { limit, cursor } }) => {
    const after = afterOf(LIST, cursor, (id) => OF_FILE.test(id) || isUuid(id));
    const isPastFile = after !== null && !OF_FILE.test(after);
    const ofFile = isPastFile ? [] : this.#ofFile.filter(({ id }) => after === null || id > after).slice(0, limit + 1);
    const missing = limit + 1 - ofFile.length;
    const stored = missing === 0 ? [] : await this.parts.rules.list(isPastFile ? after : null, missing);
    return { body: pageOf(LIST, [...ofFile, ...stored.map(storedAlert)], limit, (alert) => alert), etag: null };
  };

  readonly getAlert: Handlers['getAlert'] = async ({ params: { id = '' } }) => {
    const ofFile = this.#ofFile.find((alert) => alert.id === id);
    if (ofFile !== undefined) return { body: ofFile, etag: null };
    const row = isUuid(id) ? await this.parts.rules.find(id) : null;
    if (row === null) throw noAlert();
    return { body: storedAlert(row), etag: etagOf(row.revision) };
  };

  readonly updateAlert: Handlers['updateAlert'] = async (call, tx) => {
    const before = await this.#held(call, call.params['id'] ?? '', tx);
    const { id } = before;
    if (Object.keys(call.body).length === 0) return { body: storedAlert(before), etag: etagOf(before.revision), audit: null };
    const row = await this.parts.rules.change(tx, id, await this.#columnsOf(before, call.body), this.#moment());
    await this.parts.silences.follow(tx, before.name, row.name);
    const body = storedAlert(row);
    return { body, etag: etagOf(row.revision), audit: { action: 'updateAlert', resource: 'alert', resourceId: id, tenant: null, before: storedAlert(before), after: body } };
  };

  readonly deleteAlert: Handlers['deleteAlert'] = async (call, tx) => {
    const before = await this.#held(call, call.params['id'] ?? '', tx);
    const { id } = before;
    await this.parts.rules.delete(tx, id);
    return { body: { object: 'alert', id, deleted: true }, etag: null, audit: { action: 'deleteAlert', resource: 'alert', resourceId: id, tenant: null, before: storedAlert(before), after: null } };
  };

  /** By id: a list is the same from page to page. */
  get #ofFile(): AlertObject[] {
    return this.parts.inForce.configuration.alerts.map(fileAlert).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async #columnsOf(before: StoredRule, { name, enabled, when, notify, group_by: groupBy, repeat_s: repeatS }: BodyOf<'updateAlert'>): Promise<RuleChange> {
    if (name !== undefined && name !== before.name) this.#checkName(name);
    return {
      ...(name !== undefined && { name }),
      ...(enabled !== undefined && { enabled }),
      ...(when !== undefined && { condition: when }),
      ...(groupBy !== undefined && { groupBy }),
      ...(repeatS !== undefined && { repeatS }),
      ...(notify !== undefined && (await this.#told(before.id, notify))),
    };
  }

  /** Who is told, sealed, and what may be said of them. */
  async #told(rule: string, notify: BodyOf<'createAlert'>['notify']): Promise<Pick<StoredRule, 'shown' | 'keyId' | 'wrappedKey' | 'nonce' | 'ciphertext'>> {
    const { inForce, receivers } = this.parts;
    const told = receiversOf(notify, { addressProblem: (address) => inForce.addressProblem(address), sendsMail: inForce.configuration.smtp !== null });
    return { shown: told.map(shownReceiver), ...(await receivers.seal(rule, told)) };
  }

  #checkName(name: string): void {
    if (this.parts.inForce.configuration.alerts.some(({ rule }) => rule.name === name)) throw nameTaken(name);
  }

  /** The rule, which nobody else changes meanwhile. */
  async #held(change: AdminChange, id: string, tx: Transaction): Promise<StoredRule> {
    if (this.#ofFile.some((alert) => alert.id === id)) throw new DejaError('invalid_value', 'This alert rule stands in the configuration file: change it in deja.yaml.', { param: 'id' });
    const row = isUuid(id) ? await this.parts.rules.lock(tx, id) : null;
    if (row === null) throw noAlert();
    checkMatch(change, row.revision);
    return row;
  }

  #moment(): Date {
    return new Date((this.parts.now ?? Date.now)());
  }
}
