ALTER TABLE "router"."tenants" ADD COLUMN "validation" jsonb NOT NULL DEFAULT '{}';
--> statement-breakpoint
ALTER TABLE "router"."client_keys" ADD COLUMN "validation" jsonb NOT NULL DEFAULT '{}';
