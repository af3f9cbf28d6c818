import type { TenantObject } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import { checkMatch, etagOf } from '../admin/changes.ts';
import type { Handlers } from '../admin/handlers.ts';
import { afterOf, pageOf } from '../admin/pages.ts';
import { noTenant, sees } from '../admin/scope.ts';
import type { DataKeysRepository } from '../vault/data-keys.repository.ts';
import { changed } from '../vault/stored-credentials.repository.ts';
import { DEFAULT_TENANT } from './bootstrap.ts';
import { tenantChanged } from './tenant-changed.ts';
import { freeId, isReserved, tenantIdOf } from './tenant-id.ts';
import type { TenantRevisions } from './tenant-revisions.ts';
import type { StoredTenant, TenantsRepository } from './tenants.repository.ts';

const TENANT_ID = /^[a-z0-9-]{1,63}$/;
/** Of an id made of a name that others take at the same moment. */
const ATTEMPTS = 5;

export interface TenantParts {
  tenants: TenantsRepository;
  dataKeys: Pick<DataKeysRepository, 'deleteAll'>;
  revisions: Pick<TenantRevisions, 'changed'>;
  /** Credentials `provider/name` went with their tenant: has them taken out of use everywhere. */
  credentialsDeleted: (credentials: string[]) => Promise<void>;
}

type TenantHandlers = Pick<Handlers, 'createTenant' | 'listTenants' | 'getTenant' | 'updateTenant' | 'deleteTenant' | 'shredBodies'>;

/** The operations of the admin API on tenants. */
export function tenantOperations(parts: TenantParts): TenantHandlers {
  const { tenants, revisions } = parts;
  return {
    createTenant: create(parts),

    async listTenants({ by, query }) {
      const after = afterOf('tenants', query.cursor, (id) => TENANT_ID.test(id));
      return { body: pageOf('tenants', await tenants.list(by.tenant, after, query.limit + 1), query.limit, tenantObject), etag: null };
    },

    async getTenant({ by, params }) {
      const tenant = sees(by, idOf(params)) ? await tenants.find(idOf(params)) : null;
      if (tenant === null) throw noTenant();
      return { body: tenantObject(tenant), etag: etagOf(tenant.settingsRevision) };
    },

    async updateTenant(call, tx) {
      const before = await tenants.lock(tx, idOf(call.params));
      if (before === null || !sees(call.by, before.id)) throw noTenant();
      checkMatch(call, before.settingsRevision);
      const { id } = before;
      if (Object.keys(call.body).length === 0) return { body: tenantObject(before), etag: etagOf(before.settingsRevision), audit: null };
      const tenant = await tenants.update(tx, id, call.body);
      if (tenant === null) throw noTenant();
      const revision = await tenantChanged(tx, id);
      const body = tenantObject(tenant);
      return {
        body,
        etag: etagOf(tenant.settingsRevision),
        audit: { action: 'updateTenant', resource: 'tenant', resourceId: id, tenant: id, before: tenantObject(before), after: body },
        afterwards: () => revisions.changed(id, revision),
      };
    },

    deleteTenant: remove(parts),
    shredBodies: shred(parts),
  };
}

function create({ tenants, revisions }: TenantParts): TenantHandlers['createTenant'] {
  return async ({ body: { id: given, name, ...settings } }, tx) => {
    if (given === undefined && name === undefined) throw new DejaError('invalid_value', 'Give the tenant a name, or an id.', { param: 'name' });
    if (given !== undefined && isReserved(given)) throw new DejaError('invalid_value', `No tenant can have the id ${JSON.stringify(given)}: choose another.`, { param: 'id' });
    let tenant: StoredTenant | null = null;
    for (let attempt = 0; attempt < ATTEMPTS && tenant === null; attempt++) {
      const wished = given ?? tenantIdOf(name ?? '');
      const id = given ?? freeId(wished, await tenants.idsLike(tx, wished));
      tenant = await tenants.insert(tx, { id, name: name ?? id, ...settings });
      if (tenant === null && given !== undefined) throw new DejaError('conflict', `There is, or was, a tenant with the id ${JSON.stringify(given)}: choose another.`, { param: 'id' });
    }
    if (tenant === null) throw new DejaError('overloaded', 'Many tenants of this name are being made: try again, or give an id.', { retryAfterMs: 1000 });
    const { id, revision } = tenant;
    const body = tenantObject(tenant);
    return {
      body,
      etag: etagOf(tenant.settingsRevision),
      audit: { action: 'createTenant', resource: 'tenant', resourceId: id, tenant: id, before: null, after: body },
      afterwards: () => revisions.changed(id, revision),
    };
  };
}

function remove({ tenants, revisions, credentialsDeleted }: TenantParts): TenantHandlers['deleteTenant'] {
  return async (call, tx) => {
    const before = await tenants.lock(tx, idOf(call.params));
    if (before === null || !sees(call.by, before.id)) throw noTenant();
    checkMatch(call, before.settingsRevision);
    const { id } = before;
    if (id === DEFAULT_TENANT) throw new DejaError('conflict', 'The default tenant cannot be deleted: requests without another belong to it.', { param: 'id' });
    const revision = await tenantChanged(tx, id);
    const gone = await tenants.delete(tx, id);
    if (gone.credentials.length > 0) await changed(tx);
    return {
      body: { object: 'tenant', id, deleted: true },
      etag: null,
      audit: { action: 'deleteTenant', resource: 'tenant', resourceId: id, tenant: id, before: { ...tenantObject(before), keys: gone.keys, credentials: gone.credentials }, after: null },
      afterwards: async () => {
        await revisions.changed(id, revision);
        if (gone.credentials.length > 0) await credentialsDeleted(gone.credentials);
      },
    };
  };
}

/** The keys are gone with the commit; gateways forget theirs as they forget all that they know of the tenant. */
function shred({ tenants, dataKeys, revisions }: TenantParts): TenantHandlers['shredBodies'] {
  return async (call, tx) => {
    const tenant = await tenants.lock(tx, idOf(call.params));
    if (tenant === null || !sees(call.by, tenant.id)) throw noTenant();
    checkMatch(call, tenant.settingsRevision);
    const { id } = tenant;
    const revision = await tenantChanged(tx, id);
    const body = { object: 'shredded' as const, id, keys: await dataKeys.deleteAll(tx, id) };
    return { body, etag: null, audit: { action: 'shredBodies', resource: 'tenant', resourceId: id, tenant: id, before: null, after: body }, afterwards: () => revisions.changed(id, revision) };
  };
}

const idOf = (params: Record<string, string>): string => params['id'] ?? '';

export function tenantObject({ id, name, limits, budgets, cache, validation, capture, models, disabled, createdAt, updatedAt }: StoredTenant): TenantObject {
  return { object: 'tenant', id, name, limits, budgets, cache, validation, capture, models, disabled, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}
