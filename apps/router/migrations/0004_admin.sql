-- Revisions of tenants come from one sequence: a tenant that is made again under its old id goes on after the one before it.
CREATE SEQUENCE "router"."tenant_revisions" AS bigint;
--> statement-breakpoint
ALTER TABLE "router"."tenants"
	ADD COLUMN "budgets" jsonb NOT NULL DEFAULT '[]',
	ADD COLUMN "cache" jsonb NOT NULL DEFAULT '{}',
	ADD COLUMN "models" jsonb,
	ADD COLUMN "disabled" boolean NOT NULL DEFAULT false,
	ADD COLUMN "revision" bigint NOT NULL DEFAULT nextval('router.tenant_revisions'),
	ADD COLUMN "settings_revision" bigint NOT NULL DEFAULT 1,
	ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
UPDATE "router"."tenants" SET "updated_at" = "created_at";
--> statement-breakpoint
-- The hashes of a key's secrets: the current one is the one without an end; at most one former one has its grace.
CREATE TABLE "router"."client_key_secrets" (
	"key_sha256" text PRIMARY KEY CHECK ("key_sha256" ~ '^[0-9a-f]{64}$'),
	"key" uuid NOT NULL REFERENCES "router"."client_keys" ("id") ON DELETE CASCADE,
	"public_id" text CHECK (length("public_id") BETWEEN 1 AND 64),
	"created_at" timestamp with time zone NOT NULL DEFAULT now(),
	"expires_at" timestamp with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "client_key_secrets_one_current" ON "router"."client_key_secrets" ("key") WHERE "expires_at" IS NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX "client_key_secrets_one_retiring" ON "router"."client_key_secrets" ("key") WHERE "expires_at" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "client_key_secrets_public_id" ON "router"."client_key_secrets" ("public_id") WHERE "public_id" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "client_key_secrets_imported" ON "router"."client_key_secrets" ("key") WHERE "public_id" IS NULL;
--> statement-breakpoint
-- Cached answers, stored objects, rows of the ledger and what was spent of budgets are by a tenant's id: an id that was somebody's is nobody else's.
CREATE TABLE "router"."retired_tenants" (
	"id" text PRIMARY KEY,
	"retired_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- A key that was made elsewhere and taken away here is not planted again by the environment that still names it.
CREATE TABLE "router"."retired_imports" (
	"key_sha256" text PRIMARY KEY,
	"retired_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE FUNCTION "router"."retire_import"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO "router"."retired_imports" ("key_sha256") VALUES (OLD."key_sha256") ON CONFLICT DO NOTHING;
	RETURN OLD;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "client_key_secrets_retire_import" AFTER DELETE ON "router"."client_key_secrets"
	FOR EACH ROW WHEN (OLD."public_id" IS NULL) EXECUTE FUNCTION "router"."retire_import"();
--> statement-breakpoint
INSERT INTO "router"."client_key_secrets" ("key_sha256", "key", "created_at") SELECT "key_sha256", "id", "created_at" FROM "router"."client_keys";
--> statement-breakpoint
ALTER TABLE "router"."client_keys" DROP COLUMN "key_sha256";
--> statement-breakpoint
ALTER TABLE "router"."client_keys" RENAME COLUMN "per_user_limits" TO "per_user";
--> statement-breakpoint
ALTER TABLE "router"."client_keys"
	ADD COLUMN "endpoints" jsonb,
	ADD COLUMN "networks" jsonb,
	ADD COLUMN "tags" jsonb NOT NULL DEFAULT '{}',
	ADD COLUMN "budgets" jsonb NOT NULL DEFAULT '[]',
	ADD COLUMN "cache" jsonb NOT NULL DEFAULT '{}',
	ADD COLUMN "revision" bigint NOT NULL DEFAULT 1,
	ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
UPDATE "router"."client_keys" SET "updated_at" = "created_at";
--> statement-breakpoint
DROP INDEX "router"."client_keys_tenant";
--> statement-breakpoint
-- For lists, page after page.
CREATE INDEX "client_keys_tenant" ON "router"."client_keys" ("tenant", "id");
--> statement-breakpoint
ALTER TABLE "router"."credentials" ADD COLUMN "revision" bigint NOT NULL DEFAULT 1;
--> statement-breakpoint
CREATE TABLE "router"."admin_tokens" (
	"id" uuid PRIMARY KEY,
	"tenant" text REFERENCES "router"."tenants" ("id") ON DELETE CASCADE,
	"name" text NOT NULL,
	"role" text NOT NULL CHECK ("role" IN ('viewer', 'operator', 'owner')),
	"public_id" text NOT NULL CHECK (length("public_id") BETWEEN 1 AND 64),
	"token_sha256" text NOT NULL UNIQUE CHECK ("token_sha256" ~ '^[0-9a-f]{64}$'),
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL DEFAULT now(),
	"updated_at" timestamp with time zone NOT NULL DEFAULT now(),
	"revision" bigint NOT NULL DEFAULT 1
);
--> statement-breakpoint
CREATE INDEX "admin_tokens_tenant" ON "router"."admin_tokens" ("tenant", "id");
--> statement-breakpoint
-- No reference to what it is about: that may be gone.
CREATE TABLE "router"."audit" (
	"id" uuid PRIMARY KEY,
	"at" timestamp with time zone NOT NULL DEFAULT now(),
	"actor" text NOT NULL,
	"actor_name" text NOT NULL,
	"role" text NOT NULL,
	"from_address" text,
	"request_id" text,
	"action" text NOT NULL,
	"resource" text NOT NULL,
	"resource_id" text,
	"tenant" text,
	"before" jsonb,
	"after" jsonb
);
--> statement-breakpoint
CREATE INDEX "audit_tenant" ON "router"."audit" ("tenant", "id");
--> statement-breakpoint
CREATE INDEX "audit_resource" ON "router"."audit" ("resource_id", "id");
--> statement-breakpoint
CREATE INDEX "audit_actor" ON "router"."audit" ("actor", "id");
--> statement-breakpoint
CREATE INDEX "audit_at" ON "router"."audit" ("at");
--> statement-breakpoint
-- The tables' owner is the app's own role, which needs no right to change rows: it is refused by the table itself.
CREATE FUNCTION "router"."refuse_change_of_audit"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER "audit_is_only_added_to" BEFORE UPDATE OR DELETE OR TRUNCATE ON "router"."audit" FOR EACH STATEMENT EXECUTE FUNCTION "router"."refuse_change_of_audit"();
--> statement-breakpoint
ALTER TABLE "router"."audit" ENABLE ALWAYS TRIGGER "audit_is_only_added_to";
--> statement-breakpoint
-- What was answered under an idempotency key, encrypted with a key that comes from it and is nowhere here.
CREATE TABLE "router"."idempotency" (
	"id" bytea PRIMARY KEY CHECK (length("id") = 32),
	"fingerprint" text NOT NULL,
	"answer" bytea,
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX "idempotency_by_age" ON "router"."idempotency" ("created_at");
