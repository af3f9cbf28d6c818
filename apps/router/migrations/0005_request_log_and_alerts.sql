-- What the request log keeps of bodies; null: what stands above says.
ALTER TABLE "router"."tenants" ADD COLUMN "capture" text CHECK ("capture" IN ('none', 'metadata', 'full'));
--> statement-breakpoint
ALTER TABLE "router"."client_keys" ADD COLUMN "capture" text CHECK ("capture" IN ('none', 'metadata', 'full'));
--> statement-breakpoint
-- Captured bodies are sealed with these. Without its row such a body is noise.
CREATE TABLE "router"."data_keys" (
	"id" uuid PRIMARY KEY,
	"tenant" text NOT NULL REFERENCES "router"."tenants" ("id") ON DELETE CASCADE,
	"key_id" text NOT NULL REFERENCES "router"."master_keys" ("key_id"),
	"wrapped_key" bytea NOT NULL,
	"nonce" bytea NOT NULL,
	"ciphertext" bytea NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "data_keys_current" ON "router"."data_keys" ("tenant", "created_at" DESC);
--> statement-breakpoint
CREATE INDEX "data_keys_key" ON "router"."data_keys" ("key_id");
--> statement-breakpoint
CREATE TABLE "router"."alert_rules" (
	"id" uuid PRIMARY KEY,
	"name" text NOT NULL CONSTRAINT "alert_rules_one_name" UNIQUE,
	"enabled" boolean NOT NULL DEFAULT true,
	"condition" jsonb NOT NULL,
	"group_by" jsonb NOT NULL DEFAULT '[]',
	"repeat_s" integer,
	"shown" jsonb NOT NULL,
	"key_id" text NOT NULL REFERENCES "router"."master_keys" ("key_id"),
	"wrapped_key" bytea NOT NULL,
	"nonce" bytea NOT NULL,
	"ciphertext" bytea NOT NULL,
	"revision" bigint NOT NULL DEFAULT 1,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "router"."alert_silences" (
	"id" uuid PRIMARY KEY,
	"alert" text,
	"labels" jsonb NOT NULL DEFAULT '{}',
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"comment" text NOT NULL DEFAULT '',
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CHECK ("ends_at" > "starts_at")
);
--> statement-breakpoint
CREATE INDEX "alert_silences_end" ON "router"."alert_silences" ("ends_at");
--> statement-breakpoint
-- For who asks whether one more has expired.
CREATE INDEX "client_keys_expiry" ON "router"."client_keys" ("expires_at") WHERE "expires_at" IS NOT NULL;
--> statement-breakpoint
-- Grows with every change of what alerts are decided by, so that asking every few seconds whether there was one costs a row. By triggers: a
-- router of the version before, which knows nothing of alerts, changes budgets too.
ALTER TABLE "router"."cluster" ADD COLUMN "alerts_revision" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
CREATE FUNCTION "router"."note_change_for_alerts"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE "router"."cluster" SET "alerts_revision" = "alerts_revision" + 1;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "alert_rules_come_and_go" AFTER INSERT OR DELETE ON "router"."alert_rules" FOR EACH ROW EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "alert_rules_change" AFTER UPDATE ON "router"."alert_rules"
	FOR EACH ROW WHEN (OLD."revision" IS DISTINCT FROM NEW."revision") EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "alert_silences_change" AFTER INSERT OR UPDATE OR DELETE ON "router"."alert_silences" FOR EACH ROW EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "tenants_come_and_go_for_alerts" AFTER INSERT OR DELETE ON "router"."tenants" FOR EACH ROW EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "tenants_change_for_alerts" AFTER UPDATE OF "budgets", "disabled" ON "router"."tenants"
	FOR EACH ROW WHEN ((OLD."budgets", OLD."disabled") IS DISTINCT FROM (NEW."budgets", NEW."disabled")) EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "client_keys_come_and_go_for_alerts" AFTER INSERT OR DELETE ON "router"."client_keys" FOR EACH ROW EXECUTE FUNCTION "router"."note_change_for_alerts"();
--> statement-breakpoint
CREATE TRIGGER "client_keys_change_for_alerts" AFTER UPDATE OF "budgets", "per_user", "disabled", "expires_at" ON "router"."client_keys"
	FOR EACH ROW WHEN ((OLD."budgets", OLD."per_user", OLD."disabled", OLD."expires_at") IS DISTINCT FROM (NEW."budgets", NEW."per_user", NEW."disabled", NEW."expires_at"))
	EXECUTE FUNCTION "router"."note_change_for_alerts"();
