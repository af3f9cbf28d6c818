ALTER TABLE "router"."cluster" ADD COLUMN "credentials_revision" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
CREATE TABLE "router"."master_keys" (
	"key_id" text PRIMARY KEY,
	"check_value" bytea NOT NULL,
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE "router"."credentials" (
	"id" uuid PRIMARY KEY,
	"tenant" text REFERENCES "router"."tenants" ("id") ON DELETE CASCADE,
	"provider" text NOT NULL,
	"name" text NOT NULL,
	"base_url" text,
	"weight" double precision NOT NULL DEFAULT 1 CHECK ("weight" >= 0),
	"limits" jsonb NOT NULL DEFAULT '{}',
	"disabled" boolean NOT NULL DEFAULT false,
	"created_at" timestamp with time zone NOT NULL DEFAULT now(),
	"updated_at" timestamp with time zone NOT NULL DEFAULT now(),
	CONSTRAINT "credentials_one_name" UNIQUE ("provider", "name")
);
--> statement-breakpoint
CREATE INDEX "credentials_tenant" ON "router"."credentials" ("tenant");
--> statement-breakpoint
CREATE TABLE "router"."credential_values" (
	"credential" uuid NOT NULL REFERENCES "router"."credentials" ("id") ON DELETE CASCADE,
	"version" text NOT NULL,
	"key_id" text NOT NULL REFERENCES "router"."master_keys" ("key_id"),
	"wrapped_key" bytea NOT NULL,
	"nonce" bytea NOT NULL,
	"ciphertext" bytea NOT NULL,
	"last_four" text NOT NULL DEFAULT '' CHECK (length("last_four") <= 4),
	"created_at" timestamp with time zone NOT NULL DEFAULT now(),
	"expires_at" timestamp with time zone,
	PRIMARY KEY ("credential", "version")
);
--> statement-breakpoint
-- The current value is the one without an end, and there is exactly one; at most one former value has its grace.
CREATE UNIQUE INDEX "credential_values_one_current" ON "router"."credential_values" ("credential") WHERE "expires_at" IS NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX "credential_values_one_retiring" ON "router"."credential_values" ("credential") WHERE "expires_at" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "credential_values_key" ON "router"."credential_values" ("key_id");
--> statement-breakpoint
CREATE TABLE "router"."intake_key" (
	"id" smallint PRIMARY KEY DEFAULT 1 CHECK ("id" = 1),
	"key_id" text NOT NULL REFERENCES "router"."master_keys" ("key_id"),
	"wrapped_key" bytea NOT NULL,
	"nonce" bytea NOT NULL,
	"ciphertext" bytea NOT NULL,
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE "router"."deployment_drains" (
	"deployment" text PRIMARY KEY,
	"drained_at" timestamp with time zone NOT NULL DEFAULT now()
);
