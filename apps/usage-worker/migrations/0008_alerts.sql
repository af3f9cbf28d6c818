-- What is pending or firing. Gone when it is over: its history is in usage.alert_events.
CREATE TABLE "usage"."alert_states" (
	-- Hash of rule and labels: see alerts/labels.ts.
	"id" uuid PRIMARY KEY,
	"rule" text NOT NULL,
	-- Name of the rule.
	"alert" text NOT NULL,
	-- Hash of the rule's condition as it was when this began.
	"condition" text NOT NULL,
	"metric" text NOT NULL,
	"labels" jsonb NOT NULL,
	"state" text NOT NULL CHECK ("state" IN ('pending', 'firing')),
	"value" double precision,
	"threshold" double precision,
	-- Since when it holds without a break.
	"since" timestamp with time zone NOT NULL,
	"firing_since" timestamp with time zone,
	-- When it was last seen above its threshold.
	"exceeded_at" timestamp with time zone NOT NULL,
	-- Since when it has been over; null while it is not.
	"fine_since" timestamp with time zone,
	-- Since when nothing can be said of it; null while something can.
	"unknown_since" timestamp with time zone,
	-- The last evidence of any kind.
	"seen_at" timestamp with time zone NOT NULL,
	-- When receivers were last told that it fires; null: not yet, as it is silenced.
	"told_at" timestamp with time zone,
	"silenced_by" text
);
--> statement-breakpoint
-- What was told, or would have been but for a silence.
CREATE TABLE "usage"."alert_events" (
	-- UUIDv7: the latest has the highest.
	"id" uuid PRIMARY KEY,
	"at" timestamp with time zone NOT NULL,
	"rule" text NOT NULL,
	"alert" text NOT NULL,
	"state" text NOT NULL CHECK ("state" IN ('firing', 'resolved')),
	"metric" text NOT NULL,
	"value" double precision,
	"threshold" double precision,
	"labels" jsonb NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"resolved_at" timestamp with time zone,
	"silenced_by" text,
	"test" boolean NOT NULL DEFAULT false,
	-- Its deliveries have the same; null where nobody is told. Events that are told together share one: the id of the first.
	"notification" uuid
);
--> statement-breakpoint
CREATE INDEX "alert_events_at" ON "usage"."alert_events" ("at", "id");
--> statement-breakpoint
CREATE TABLE "usage"."alert_deliveries" (
	"id" uuid PRIMARY KEY,
	"notification" uuid NOT NULL,
	"rule" text NOT NULL,
	-- Which of the rule's receivers, from 0, and what may be said of it: where the rule has another one there by now, this is not delivered.
	"receiver" integer NOT NULL,
	"shown" jsonb NOT NULL,
	"state" text NOT NULL DEFAULT 'waiting' CHECK ("state" IN ('waiting', 'delivered', 'failed')),
	"attempts" integer NOT NULL DEFAULT 0,
	-- When it is tried next; null when it is not.
	"next_at" timestamp with time zone,
	"last_error" text,
	"delivered_at" timestamp with time zone,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "alert_deliveries_notification" ON "usage"."alert_deliveries" ("notification");
--> statement-breakpoint
CREATE INDEX "alert_deliveries_due" ON "usage"."alert_deliveries" ("next_at") WHERE "state" = 'waiting';
--> statement-breakpoint
-- Sums of each client key and model in the UTC hour that begins at "at": what is usual for a key is read from here. Made of usage.rollup_quarters when
-- the hour is over, and kept for nine weeks. An hour in which nothing was asked has no row. "model" is '' where nobody served.
CREATE TABLE "usage"."key_hours" (
	"tenant" text NOT NULL,
	"key" text NOT NULL,
	"model" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"tokens" bigint NOT NULL,
	"cost_nano_usd" bigint NOT NULL,
	PRIMARY KEY ("tenant", "key", "model", "at")
);
--> statement-breakpoint
CREATE INDEX "key_hours_at" ON "usage"."key_hours" ("at");
--> statement-breakpoint
-- Hours that are in usage.key_hours.
CREATE TABLE "usage"."key_hours_made" (
	"at" timestamp with time zone PRIMARY KEY
);
--> statement-breakpoint
-- What alerts ask: the last minutes of everybody, users who have just spent, and what is new on a key.
CREATE INDEX "rollup_minutes_at" ON "usage"."rollup_minutes" ("at");
--> statement-breakpoint
CREATE INDEX "rollup_quarters_at" ON "usage"."rollup_quarters" ("at");
--> statement-breakpoint
CREATE INDEX "spend_users" ON "usage"."spend" ("at") WHERE "user" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "series_first_at" ON "usage"."series" ("first_at");
--> statement-breakpoint
CREATE INDEX "series_key" ON "usage"."series" ("tenant", "key", "first_at");
