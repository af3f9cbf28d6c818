CREATE SCHEMA IF NOT EXISTS "router";
--> statement-breakpoint
CREATE TABLE "router"."cluster" (
	"id" smallint PRIMARY KEY DEFAULT 1 CHECK ("id" = 1),
	"salt" bytea NOT NULL,
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE "router"."tenants" (
	"id" text PRIMARY KEY CHECK ("id" ~ '^[a-z0-9-]{1,63}$'),
	"name" text NOT NULL,
	"limits" jsonb NOT NULL DEFAULT '{}',
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE "router"."client_keys" (
	"id" uuid PRIMARY KEY,
	"tenant" text NOT NULL REFERENCES "router"."tenants" ("id") ON DELETE CASCADE,
	"key_sha256" text NOT NULL UNIQUE CHECK ("key_sha256" ~ '^[0-9a-f]{64}$'),
	"name" text NOT NULL,
	"models" jsonb,
	"limits" jsonb NOT NULL DEFAULT '{}',
	"per_user_limits" jsonb NOT NULL DEFAULT '{}',
	"disabled" boolean NOT NULL DEFAULT false,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX "client_keys_tenant" ON "router"."client_keys" ("tenant");
