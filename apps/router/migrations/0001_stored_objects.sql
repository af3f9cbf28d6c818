CREATE TABLE "router"."stored_objects" (
	"tenant" text NOT NULL REFERENCES "router"."tenants" ("id") ON DELETE CASCADE,
	"id" text NOT NULL CHECK (length("id") BETWEEN 1 AND 256),
	"kind" text NOT NULL CHECK ("kind" IN ('file', 'batch', 'response')),
	"provider" text NOT NULL,
	"deployment" text NOT NULL,
	"credential" text,
	"created_at" timestamp with time zone NOT NULL,
	PRIMARY KEY ("tenant", "id"),
	CONSTRAINT "stored_objects_one_owner" UNIQUE ("provider", "id")
);
--> statement-breakpoint
-- For the accounts behind a list. Responses, by far the most rows, have no list.
CREATE INDEX "stored_objects_accounts" ON "router"."stored_objects" ("tenant", "kind", "provider", "deployment", "credential") WHERE "kind" <> 'response';
--> statement-breakpoint
CREATE INDEX "stored_objects_responses_by_age" ON "router"."stored_objects" ("created_at") WHERE "kind" = 'response';
