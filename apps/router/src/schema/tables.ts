import type { Limits, StoredObjectKind, Validation } from '@deja/contracts';
import { bigint, boolean, customType, doublePrecision, jsonb, pgSchema, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/** The tables this app owns. The SQL that makes them is in `migrations/`. */

const router = pgSchema('router');

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** One row: what the replicas of this cluster have in common and nobody else. */
export const cluster = router.table('cluster', {
  id: smallint('id').primaryKey().default(1),
  salt: bytes('salt').notNull(),
  /** Grows with every change of the tables from `credentials` on. */
  credentialsRevision: bigint('credentials_revision', { mode: 'number' }).notNull().default(0),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

export const tenants = router.table('tenants', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  limits: jsonb('limits').$type<Limits>().notNull().default({}),
  /** Ceilings of requests in place of deja.yaml's `validation`. */
  validation: jsonb('validation').$type<Partial<Validation>>().notNull().default({}),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

export const clientKeys = router.table('client_keys', {
  id: uuid('id').primaryKey(),
  tenant: text('tenant').notNull().references(() => tenants.id, { onDelete: 'cascade' }),
  /** Lower-case hex. The key itself is nowhere. */
  keySha256: text('key_sha256').notNull().unique(),
  name: text('name').notNull(),
  /** Public model names; null is all. */
  models: jsonb('models').$type<string[]>(),
  limits: jsonb('limits').$type<Limits>().notNull().default({}),
  perUserLimits: jsonb('per_user_limits').$type<Limits>().notNull().default({}),
  /** The same for one key; it goes before its tenant's. */
  validation: jsonb('validation').$type<Partial<Validation>>().notNull().default({}),
  disabled: boolean('disabled').notNull().default(false),
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

/** Whose an object is that a provider keeps. Two providers may give the same id, so it is the tenant's own; of one provider an id has one owner for good. */
export const storedObjects = router.table('stored_objects', {
  tenant: text('tenant').notNull().references(() => tenants.id, { onDelete: 'cascade' }),
  id: text('id').notNull(),
  kind: text('kind').$type<StoredObjectKind>().notNull(),
  provider: text('provider').notNull(),
  deployment: text('deployment').notNull(),
  credential: text('credential'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
}, (table) => [primaryKey({ columns: [table.tenant, table.id] })]);

/** Every key that ever wrapped a data key, with a known text wrapped by it: whether a key of that name is the same one. */
export const masterKeys = router.table('master_keys', {
  keyId: text('key_id').primaryKey(),
  checkValue: bytes('check_value').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
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
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
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
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  /** End of the grace of a former value; null for the current one. */
  expiresAt: timestamp('expires_at', { withTimezone: true }),
}, (table) => [primaryKey({ columns: [table.credential, table.version] })]);

/** One row: the private half (a JWK) of the key that new values are sealed to on their way in. */
export const intakeKey = router.table('intake_key', {
  id: smallint('id').primaryKey().default(1),
  ...sealed,
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

/** Deployments that an operator took out of rotation. */
export const deploymentDrains = router.table('deployment_drains', {
  deployment: text('deployment').primaryKey(),
  drainedAt: timestamp('drained_at', { withTimezone: true }).notNull().defaultNow(),
});
