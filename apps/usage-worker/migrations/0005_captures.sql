-- Captured bodies, partitioned as the operations are whose they are: by UTC day of the id. Retention drops them a day at a time, before the operations.
CREATE TABLE "usage"."captures" (
	"operation_id" uuid PRIMARY KEY,
	"tenant" text NOT NULL,
	"mode" text NOT NULL CHECK ("mode" IN ('metadata', 'full')),
	-- Of the tenant's keys, the one that opens both bodies.
	"data_key" text NOT NULL,
	"request" bytea,
	"request_bytes" integer,
	"request_truncated" boolean,
	"response" bytea,
	"response_bytes" integer,
	"response_truncated" boolean,
	-- Words of the prompt, in clear; null unless the operator switched search on.
	"search" tsvector,
	"recorded_at" timestamp with time zone NOT NULL DEFAULT now(),
	CHECK (("request" IS NULL) = ("request_bytes" IS NULL) AND ("request" IS NULL) = ("request_truncated" IS NULL)),
	CHECK (("response" IS NULL) = ("response_bytes" IS NULL) AND ("response" IS NULL) = ("response_truncated" IS NULL))
) PARTITION BY RANGE ("operation_id");
--> statement-breakpoint
-- Ciphertext does not get smaller: Postgres is not to try.
ALTER TABLE "usage"."captures" ALTER COLUMN "request" SET STORAGE EXTERNAL, ALTER COLUMN "response" SET STORAGE EXTERNAL;
--> statement-breakpoint
CREATE INDEX "captures_search" ON "usage"."captures" USING gin ("search") WHERE "search" IS NOT NULL;
--> statement-breakpoint
-- Which keys' words there are, and where: when a key is destroyed, they go too.
CREATE INDEX "captures_words_of" ON "usage"."captures" ("data_key") WHERE "search" IS NOT NULL;
--> statement-breakpoint
-- As usage.ensure_day, for one day of captures.
CREATE FUNCTION "usage"."ensure_capture_day"("day" date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	partition text := 'captures_' || to_char("day", 'YYYYMMDD');
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('deja.usage.ensure_day'));
	IF to_regclass('usage.' || quote_ident(partition)) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE usage.%I (LIKE usage.captures INCLUDING ALL)', partition);
	EXECUTE format(
		'ALTER TABLE usage.captures ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)',
		partition,
		usage.first_id_at("day"::timestamp AT TIME ZONE 'UTC'),
		usage.first_id_at(("day" + 1)::timestamp AT TIME ZONE 'UTC')
	);
END
$$;
