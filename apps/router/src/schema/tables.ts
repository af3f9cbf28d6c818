import type { AdminActor, AlertCondition, AlertLabel, AlertLabels, Budget, CachePolicy, CaptureMode, Limits, PerUser, Priority, ScopeLimits, ShownReceiver, StoredObjectKind, Validation } from '@deja/contracts';
import { sql } from 'drizzle-orm';
import { bigint, boolean, customType, doublePrecision, integer, jsonb, pgSchema, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/** The tables this app owns. The SQL that makes them is in `migrations/`. */

const router = pgSchema('router');

const moment = { withTimezone: true } as const;
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** One row: what the replicas of this cluster have in common and nobody else. */
export const cluster = router.table('cluster', {
  id: smallint('id').primaryKey().default(1),
  salt: bytes('salt').notNull(),
  /** Grows with every change of credentials, their values and drains. */
  credentialsRevision: bigint('credentials_revision', { mode: 'number' }).notNull().default(0),
  /** Grows, by triggers, with every change of alert rules, silences, and of who has which budgets. */
  alertsRevision: bigint('alerts_revision', { mode: 'number' }).notNull().default(0),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
});

export const tenants = router.table('tenants', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  limits: jsonb('limits').$type<ScopeLimits>().notNull().default({}),
  budgets: jsonb('budgets').$type<Budget[]>().notNull().default([]),
  /** In place of deja.yaml's `cache`, member by member. */
  cache: jsonb('cache').$type<CachePolicy>().notNull().default({}),
  /** Ceilings of requests in place of deja.yaml's `validation`. */
  validation: jsonb('validation').$type<Partial<Validation>>().notNull().default({}),
  /** In place of deja.yaml's `capture`; null: as there. */
  capture: text('capture').$type<CaptureMode>(),
  /** Public model names its keys may use; null is all. */
  models: jsonb('models').$type<string[]>(),
  disabled: boolean('disabled').notNull().default(false),
  /** Grows with every change of the tenant or of one of its keys: see tenantChanged. One sequence for all tenants, so that a tenant made again goes on where it was. */
  revision: bigint('revision', { mode: 'number' }).notNull().default(sql`nextval('router.tenant_revisions')`),
  /** Grows with every change of the tenant itself: its etag. */
  settingsRevision: bigint('settings_revision', { mode: 'number' }).notNull().default(1),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', moment).notNull().defaultNow(),
});

export const clientKeys = router.table('client_keys', {
  id: uuid('id').primaryKey(),
  tenant: text('tenant').notNull().references(() => tenants.id, { onDelete: 'cascade' }),
  name: text('name').notNull(),
  /** Public model names; null is all. */
  models: jsonb('models').$type<string[]>(),
  /** null is all. */
  endpoints: jsonb('endpoints').$type<string[]>(),
  /** null is anywhere. */
  networks: jsonb('networks').$type<string[]>(),
  tags: jsonb('tags').$type<Record<string, string>>().notNull().default({}),
  limits: jsonb('limits').$type<ScopeLimits>().notNull().default({}),
  perUser: jsonb('per_user').$type<PerUser>().notNull().default({}),
  budgets: jsonb('budgets').$type<Budget[]>().notNull().default([]),
  cache: jsonb('cache').$type<CachePolicy>().notNull().default({}),
  /** As its tenant's, and before it. */
  validation: jsonb('validation').$type<Partial<Validation>>().notNull().default({}),
  /** In place of its tenant's; null: as that. */
  capture: text('capture').$type<CaptureMode>(),
  priority: text('priority').$type<Priority>().notNull().default('interactive'),
  disabled: boolean('disabled').notNull().default(false),
  expiresAt: timestamp('expires_at', moment),
  /** Grows with every change of the key: its etag. */
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', moment).notNull().defaultNow(),
});

/** What client keys are known by. The keys themselves are nowhere. */
export const clientKeySecrets = router.table('client_key_secrets', {
  /** Of the whole key, lower-case hex. */
  keySha256: text('key_sha256').primaryKey(),
  key: uuid('key').notNull().references(() => clientKeys.id, { onDelete: 'cascade' }),
  /** null: it was not made here. */
  publicId: text('public_id'),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  /** End of the grace of a former secret; null for the current one. */
  expiresAt: timestamp('expires_at', moment),
});

/** Ids of tenants that were deleted: answers, objects and figures are by them, so nobody else gets one. */
export const retiredTenants = router.table('retired_tenants', {
  id: text('id').primaryKey(),
  retiredAt: timestamp('retired_at', moment).notNull().defaultNow(),
});

/** Keys that were made elsewhere and taken away: a trigger keeps their hashes. */
export const retiredImports = router.table('retired_imports', {
  keySha256: text('key_sha256').primaryKey(),
  retiredAt: timestamp('retired_at', moment).notNull().defaultNow(),
});

export const adminTokens = router.table('admin_tokens', {
  id: uuid('id').primaryKey(),
  /** The one tenant it is for; null: all, and what is nobody's. */
  tenant: text('tenant').references(() => tenants.id, { onDelete: 'cascade' }),
  name: text('name').notNull(),
  role: text('role').$type<AdminActor['role']>().notNull(),
  publicId: text('public_id').notNull(),
  tokenSha256: text('token_sha256').notNull().unique(),
  expiresAt: timestamp('expires_at', moment),
  lastUsedAt: timestamp('last_used_at', moment),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', moment).notNull().defaultNow(),
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
});

/** Who changed what: rows are added, and the table refuses everything else. */
export const audit = router.table('audit', {
  id: uuid('id').primaryKey(),
  at: timestamp('at', moment).notNull().defaultNow(),
  actor: text('actor').notNull(),
  actorName: text('actor_name').notNull(),
  role: text('role').notNull(),
  from: text('from_address'),
  requestId: text('request_id'),
  action: text('action').notNull(),
  resource: text('resource').notNull(),
  resourceId: text('resource_id'),
  tenant: text('tenant'),
  before: jsonb('before').$type<Record<string, unknown>>(),
  after: jsonb('after').$type<Record<string, unknown>>(),
});

/** What was answered under which idempotency key: see audit/idempotency.ts. */
export const idempotency = router.table('idempotency', {
  id: bytes('id').primaryKey(),
  fingerprint: text('fingerprint').notNull(),
  /** null only within the transaction that does the work. */
  answer: bytes('answer'),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
});

/** Whose an object is that a provider keeps. Two providers may give the same id, so it is the tenant's own; of one provider an id has one owner for good. */
export const storedObjects = router.table('stored_objects', {
  tenant: text('tenant').notNull().references(() => tenants.id, { onDelete: 'cascade' }),
  id: text('id').notNull(),
  kind: text('kind').$type<StoredObjectKind>().notNull(),
  provider: text('provider').notNull(),
  deployment: text('deployment').notNull(),
  credential: text('credential'),
  createdAt: timestamp('created_at', moment).notNull(),
}, (table) => [primaryKey({ columns: [table.tenant, table.id] })]);

/** Every key that ever wrapped a data key, with a known text wrapped by it: whether a key of that name is the same one. */
export const masterKeys = router.table('master_keys', {
  keyId: text('key_id').primaryKey(),
  checkValue: bytes('check_value').notNull(),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
});

/** Credentials of the admin API. Those of deja.yaml are nowhere here. */
export const credentials = router.table('credentials', {
  id: uuid('id').primaryKey(),
  /** Whose requests alone may use it; null: everyone's. */
  tenant: text('tenant').references(() => tenants.id, { onDelete: 'cascade' }),
  provider: text('provider').notNull(),
  name: text('name').notNull(),
  baseUrl: text('base_url'),
  weight: doublePrecision('weight').notNull().default(1),
  limits: jsonb('limits').$type<Limits>().notNull().default({}),
  disabled: boolean('disabled').notNull().default(false),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', moment).notNull().defaultNow(),
  /** Grows with every change: its etag. */
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
});

/** What is kept of a value that must not be seen: see vault/envelope.ts. */
const sealed = {
  keyId: text('key_id').notNull().references(() => masterKeys.keyId),
  wrappedKey: bytes('wrapped_key').notNull(),
  nonce: bytes('nonce').notNull(),
  ciphertext: bytes('ciphertext').notNull(),
};

export const credentialValues = router.table('credential_values', {
  credential: uuid('credential').notNull().references(() => credentials.id, { onDelete: 'cascade' }),
  /** Random: it says nothing of the value, and no other value ever has it. */
  version: text('version').notNull(),
  ...sealed,
  lastFour: text('last_four').notNull().default(''),
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
  /** End of the grace of a former value; null for the current one. */
  expiresAt: timestamp('expires_at', moment),
}, (table) => [primaryKey({ columns: [table.credential, table.version] })]);

/** One row: the private half (a JWK) of the key that new values are sealed to on their way in. */
export const intakeKey = router.table('intake_key', {
  id: smallint('id').primaryKey().default(1),
  ...sealed,
  createdAt: timestamp('created_at', moment).notNull().defaultNow(),
});

/** Deployments that an operator took out of rotation. */
export const deploymentDrains = router.table('deployment_drains', {
  deployment: text('deployment').primaryKey(),
  drainedAt: timestamp('drained_at', moment).notNull().defaultNow(),
});

/** What captured bodies of a tenant are sealed with; the newest is the current one. */
export const dataKeys = router.table('data_keys', {
  id: uuid('id').primaryKey(),
  tenant: text('tenant').notNull().references(() => tenants.id, { onDelete: 'cascade' }),
  ...sealed,
  createdAt: timestamp('created_at', moment).notNull(),
});

/** Alert rules of the admin API. Those of deja.yaml are nowhere here. */
export const alertRules = router.table('alert_rules', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull().unique('alert_rules_one_name'),
  enabled: boolean('enabled').notNull().default(true),
  condition: jsonb('condition').$type<AlertCondition>().notNull(),
  groupBy: jsonb('group_by').$type<AlertLabel[]>().notNull().default([]),
  repeatS: integer('repeat_s'),
  /** What may be said of the receivers; they themselves are what is sealed. */
  shown: jsonb('shown').$type<ShownReceiver[]>().notNull(),
  ...sealed,
  /** Grows with every change: its etag. */
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
  createdAt: timestamp('created_at', moment).notNull(),
  updatedAt: timestamp('updated_at', moment).notNull(),
});

export const alertSilences = router.table('alert_silences', {
  id: uuid('id').primaryKey(),
  /** Name of a rule; null: of all. */
  alert: text('alert'),
  labels: jsonb('labels').$type<AlertLabels>().notNull().default({}),
  startsAt: timestamp('starts_at', moment).notNull(),
  endsAt: timestamp('ends_at', moment).notNull(),
  comment: text('comment').notNull().default(''),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', moment).notNull(),
});
