-- What each gateway process accepted of the operations received in the quarter of an hour that begins at "at": Redis forgets, this does not.
CREATE TABLE "usage"."accepted" (
	"at" timestamp with time zone NOT NULL,
	"gateway" text NOT NULL,
	"operations" bigint NOT NULL,
	PRIMARY KEY ("at", "gateway")
);
--> statement-breakpoint
-- What was accepted and what was recorded of each quarter of an hour of the last days, as last compared. Operations, except for "sums_differ": figures.
CREATE TABLE "usage"."reconciliation" (
	"at" timestamp with time zone PRIMARY KEY,
	-- Since when it was known, while it lasted, which gateways were there; and whether there were such as do not count what they accept.
	"watched_from" timestamp with time zone,
	"uncounted" boolean NOT NULL DEFAULT false,
	"accepted" bigint NOT NULL DEFAULT 0,
	"recorded" bigint NOT NULL DEFAULT 0,
	"on_the_way" bigint NOT NULL DEFAULT 0,
	-- Recorded beyond what was accepted, of a quarter in which not all of that was counted.
	"unsure" bigint NOT NULL DEFAULT 0,
	-- What this comparison found, and what it and the one before found: events move while they are counted.
	"seen_missing" bigint NOT NULL DEFAULT 0,
	"seen_surplus" bigint NOT NULL DEFAULT 0,
	"missing" bigint NOT NULL DEFAULT 0,
	"surplus" bigint NOT NULL DEFAULT 0,
	"compared_at" timestamp with time zone,
	-- How many of the ledger's sums are not those of its rows, and when that was looked at.
	"sums_differ" bigint NOT NULL DEFAULT 0,
	"sums_at" timestamp with time zone
);
--> statement-breakpoint
CREATE INDEX "rejected_events_latest" ON "usage"."rejected_events" ("rejected_at", "digest");
