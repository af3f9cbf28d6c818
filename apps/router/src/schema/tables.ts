import type { Limits, StoredObjectKind, Validation } from '@deja/contracts';
import { boolean, customType, jsonb, pgSchema, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/** The tables this app owns. The SQL that makes them is in `migrations/`. */

const router = pgSchema('router');

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** One row: what the replicas of this cluster have in common and nobody else. */
export const cluster = router.table('cluster', {
  id: smallint('id').primaryKey().default(1),
  salt: bytes('salt').notNull(),
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
