import { randomBytes } from 'node:crypto';
import type { KeyObject } from '@deja/admin-api';
import { CLIENT_KEY_PREFIX, DejaError, makeKey, newId, type AdminActor, type AdminChange } from '@deja/contracts';
import { checkMatch, etagOf } from '../admin/changes.ts';
import type { Done } from '../admin/done.ts';
import type { Handlers } from '../admin/handlers.ts';
import { afterOf, isUuid, pageOf } from '../admin/pages.ts';
import { checkMayMakeFor, noTenant, sees, tenantToList } from '../admin/scope.ts';
import type { PushChannel } from '../push-channel.ts';
import type { Transaction } from '../schema/transaction.ts';
import { tenantChanged } from '../tenants/tenant-changed.ts';
import type { TenantRevisions } from '../tenants/tenant-revisions.ts';
import type { ClientKeysRepository, KeyRow, NewSecret } from './client-keys.repository.ts';
import type { KeyDirectory } from './key-directory.ts';
import { columnsOf, keyObject, noSuchKey } from './key-object.ts';

const LIST = 'keys';

type KeyOperation = 'createKey' | 'listKeys' | 'getKey' | 'updateKey' | 'rotateKey' | 'deleteKey';

export interface KeyOperationParts {
  keys: ClientKeysRepository;
  directory: Pick<KeyDirectory, 'forget'>;
  /** What the check in public ids is made with (publicIdCheckKey). */
  checkKey: Uint8Array;
  push: Pick<PushChannel, 'send'>;
  revisions: Pick<TenantRevisions, 'changed'>;
  now?: () => number;
}

/** What the admin API does with client keys, for the dispatcher. */
export const keyOperations = (parts: KeyOperationParts): Pick<Handlers, KeyOperation> => new KeyOperations(parts);

/** A key's `validation` goes before its tenant's: it would lift what the tenant itself is bound by. */
function checkMayBound({ tenant }: Pick<AdminActor, 'tenant'>, { validation }: Partial<Pick<KeyObject, 'validation'>>): void {
  if (tenant === null || validation === undefined || Object.keys(validation).length === 0) return;
  throw new DejaError('permission_denied', "The token is for one tenant: a key's validation would go before the tenant's, which is not that token's to change.", { param: 'validation' });
}

/** Everything of another tenant is not there for whoever is of one. */
class KeyOperations implements Pick<Handlers, KeyOperation> {
  readonly #keys: ClientKeysRepository;
  readonly #parts: KeyOperationParts;

  constructor(parts: KeyOperationParts) {
    this.#keys = parts.keys;
    this.#parts = parts;
  }

  readonly createKey: Handlers['createKey'] = async ({ by, body: { tenant, ...settings } }, tx) => {
    checkMayMakeFor(by, tenant);
    checkMayBound(by, settings);
    if (!(await this.#keys.holdTenant(tx, tenant))) throw noTenant();
    const { secret, stored } = this.#newSecret();
    const id = newId();
    const at = this.#moment();
    await this.#keys.insert(tx, { ...columnsOf(settings), id, tenant, name: settings.name, createdAt: at, updatedAt: at }, stored);
    // Nobody knows it yet, so nobody has to hear of it.
    return this.#done(tx, id, { action: 'createKey', before: null, secret });
  };

  readonly listKeys: Handlers['listKeys'] = async ({ by, query: { tenant, limit, cursor } }) => {
    const rows = await this.#keys.list({ tenant: tenantToList(by, tenant), after: afterOf(LIST, cursor, isUuid), limit: limit + 1, at: this.#moment() });
    return { body: pageOf(LIST, rows, limit, keyObject), etag: null };
  };

  readonly getKey: Handlers['getKey'] = async ({ by, params }) => {
    const row = await this.#found(by, params['id'] ?? '');
    return { body: keyObject(row), etag: etagOf(row.revision) };
  };

  readonly updateKey: Handlers['updateKey'] = async (call, tx) => {
    const { params: { id = '' }, body } = call;
    if (Object.keys(body).length === 0) {
      const row = await this.#found(call.by, id, tx);
      checkMatch(call, row.revision);
      return { body: keyObject(row), etag: etagOf(row.revision), audit: null };
    }
    const { row, afterwards } = await this.#held(call, id, tx);
    checkMayBound(call.by, body);
    await this.#keys.change(tx, id, columnsOf(body), this.#moment());
    return this.#done(tx, id, { action: 'updateKey', before: row, afterwards });
  };

  readonly rotateKey: Handlers['rotateKey'] = async (call, tx) => {
    const { params: { id = '' }, body: { grace_s: graceS } } = call;
    const { row, afterwards } = await this.#held(call, id, tx);
    const { secret, stored } = this.#newSecret();
    const at = this.#moment();
    await this.#keys.rotate(tx, id, stored, graceS === 0 ? null : new Date(at.getTime() + graceS * 1000));
    await this.#keys.change(tx, id, {}, at);
    return this.#done(tx, id, { action: 'rotateKey', before: row, secret, afterwards });
  };

  readonly deleteKey: Handlers['deleteKey'] = async (call, tx) => {
    const { params: { id = '' } } = call;
    const { row, afterwards } = await this.#held(call, id, tx);
    await this.#keys.delete(tx, id);
    const audit = { action: 'deleteKey', resource: 'key', resourceId: id, tenant: row.tenant, before: keyObject(row), after: null };
    return { body: { object: 'key', id, deleted: true }, etag: null, audit, afterwards };
  };

  #moment(): Date {
    return new Date((this.#parts.now ?? Date.now)());
  }

  #newSecret(): { secret: string; stored: NewSecret } {
    const { key, publicId, sha256 } = makeKey(CLIENT_KEY_PREFIX, randomBytes, this.#parts.checkKey);
    return { secret: key, stored: { keySha256: sha256, publicId } };
  }

  /** The key, if the caller may know of it. */
  async #found(by: AdminActor, id: string, tx?: Transaction): Promise<KeyRow> {
    const row = isUuid(id) ? await this.#keys.get(id, this.#moment(), { ...(tx && { tx }) }) : null;
    if (row === null || !sees(by, row.tenant)) throw noSuchKey(id);
    return row;
  }

  /** The same for a change: the tenant's revision is raised, and nobody else changes the key meanwhile. */
  async #held(change: AdminChange, id: string, tx: Transaction): Promise<{ row: KeyRow; afterwards: () => Promise<void> }> {
    const { tenant } = await this.#found(change.by, id, tx);
    const revision = await tenantChanged(tx, tenant);
    const row = await this.#keys.get(id, this.#moment(), { tx, lock: true });
    if (row === null) throw noSuchKey(id);
    checkMatch(change, row.revision);
    const hashes = await this.#keys.hashes(tx, id);
    const { directory, push, revisions } = this.#parts;
    const afterwards = async (): Promise<void> => {
      directory.forget(hashes);
      await Promise.all([push.send({ kind: 'key_changed', keySha256: hashes }), revisions.changed(tenant, revision)]);
    };
    return { row, afterwards };
  }

  /** As it is after the change. */
  async #done(tx: Transaction, id: string, { action, before, ...rest }: { action: KeyOperation; before: KeyRow | null; secret?: string; afterwards?: () => Promise<void> }): Promise<Done<KeyObject>> {
    const row = await this.#keys.get(id, this.#moment(), { tx });
    if (row === null) throw noSuchKey(id);
    const after = keyObject(row);
    return { body: after, etag: etagOf(row.revision), ...rest, audit: { action, resource: 'key', resourceId: id, tenant: row.tenant, before: before && keyObject(before), after } };
  }
}
