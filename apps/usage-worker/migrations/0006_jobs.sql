-- Work that takes its time, in steps: each is one transaction that also writes down how far the work is.
CREATE TABLE "usage"."jobs" (
	"id" uuid PRIMARY KEY,
	"kind" text NOT NULL,
	"state" text NOT NULL DEFAULT 'waiting' CHECK ("state" IN ('waiting', 'running', 'done', 'failed')),
	"request" jsonb NOT NULL,
	-- How far it is, in its kind's own words; null before the first step.
	"progress" jsonb,
	"result" jsonb NOT NULL DEFAULT '{}',
	-- For people, without a secret.
	"error" text,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL DEFAULT now(),
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	-- Who has it, and until when nobody else may take it.
	"runner" text,
	"lease_until" timestamp with time zone
);
--> statement-breakpoint
CREATE INDEX "jobs_to_do" ON "usage"."jobs" ("id") WHERE "state" IN ('waiting', 'running');
--> statement-breakpoint
-- What repricing changed: figures are never lost.
CREATE TABLE "usage"."repriced" (
	"job" uuid NOT NULL,
	"operation_id" uuid NOT NULL,
	"attempt_id" uuid,
	"old_cost_nano_usd" bigint,
	"old_price_version" text,
	"new_cost_nano_usd" bigint,
	"new_price_version" text,
	"old_saved_nano_usd" bigint,
	"new_saved_nano_usd" bigint,
	"at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX "repriced_operation" ON "usage"."repriced" ("operation_id");
--> statement-breakpoint
ALTER TABLE "usage"."operations" ADD COLUMN "other_usage" jsonb;
--> statement-breakpoint
ALTER TABLE "usage"."attempts" ADD COLUMN "other_usage" jsonb;
--> statement-breakpoint
-- The names that erased users have now. A body of an operation that was erased may still be on its way: it is not kept.
CREATE TABLE "usage"."erasures" (
	"pseudonym" text PRIMARY KEY,
	"at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- By a hash: a user's name may be longer than an index takes.
CREATE INDEX "series_of_user" ON "usage"."series" (hashtextextended("user", 0)) WHERE "user" IS NOT NULL;
