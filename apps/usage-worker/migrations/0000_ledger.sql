CREATE SCHEMA IF NOT EXISTS "usage";
--> statement-breakpoint
-- An operation's id is a UUIDv7: it carries its time, so the tables are partitioned by id and the primary key stays the id alone.
-- The lowest id of a moment; `WHERE id >= usage.first_id_at(now() - interval '1 day')` reads only the partitions it needs.
CREATE FUNCTION "usage"."first_id_at"("moment" timestamp with time zone) RETURNS uuid
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN rpad(lpad(to_hex(floor(extract(epoch FROM "moment") * 1000)::bigint), 12, '0'), 32, '0')::uuid;
--> statement-breakpoint
CREATE TABLE "usage"."operations" (
	"id" uuid PRIMARY KEY,
	"tenant" text NOT NULL,
	"key" text,
	"user" text,
	"tags" jsonb NOT NULL DEFAULT '{}',
	"endpoint" text NOT NULL,
	"requested_model" text NOT NULL,
	"model" text,
	"provider" text,
	"deployment" text,
	"credential" text,
	"status" smallint,
	"outcome" text NOT NULL CHECK ("outcome" IN ('ok', 'error', 'cancelled', 'blocked', 'orphaned')),
	"error_code" text,
	"cache" text CHECK ("cache" IN ('HIT-EXACT', 'HIT-SEMANTIC', 'MISS', 'BYPASS')),
	"cache_reason" text,
	"cache_entry" text,
	"cache_similarity" double precision,
	"stream" boolean NOT NULL,
	"prompt_tokens" integer,
	"cached_tokens" integer,
	"cache_write_tokens" integer,
	"completion_tokens" integer,
	"reasoning_tokens" integer,
	"usage_source" text NOT NULL CHECK ("usage_source" IN ('upstream', 'estimated', 'cache', 'none')),
	"price_version" text,
	"cost_nano_usd" bigint,
	"saved_nano_usd" bigint,
	"received_at" timestamp with time zone NOT NULL,
	"first_byte_ms" double precision,
	"duration_ms" double precision,
	"trace_id" text,
	"recorded_at" timestamp with time zone NOT NULL DEFAULT now()
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE INDEX "operations_tenant" ON "usage"."operations" ("tenant", "id");
--> statement-breakpoint
CREATE TABLE "usage"."attempts" (
	"operation_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"n" smallint NOT NULL,
	"provider" text NOT NULL,
	"deployment" text NOT NULL,
	"credential" text,
	"model" text NOT NULL,
	"status" smallint,
	"outcome" text NOT NULL CHECK ("outcome" IN ('ok', 'error', 'cancelled')),
	"error_code" text,
	"hedge" boolean NOT NULL,
	"shadow" boolean NOT NULL,
	"prompt_tokens" integer,
	"cached_tokens" integer,
	"cache_write_tokens" integer,
	"completion_tokens" integer,
	"reasoning_tokens" integer,
	"usage_source" text NOT NULL CHECK ("usage_source" IN ('upstream', 'estimated', 'cache', 'none')),
	"price_version" text,
	"cost_nano_usd" bigint,
	"started_at" timestamp with time zone NOT NULL,
	"first_byte_ms" double precision,
	"duration_ms" double precision NOT NULL,
	PRIMARY KEY ("operation_id", "id")
) PARTITION BY RANGE ("operation_id");
--> statement-breakpoint
CREATE TABLE "usage"."rejected_events" (
	"digest" text PRIMARY KEY,
	"reason" text NOT NULL,
	"raw" text NOT NULL,
	"rejected_at" timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- Makes one day's partitions where they are missing. They are attached, not created in place: attaching does not wait for,
-- or hold up, readers and writers of the other days.
CREATE FUNCTION "usage"."ensure_day"("day" date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	parent text;
	partition text;
BEGIN
	-- Replicas take turns; the lock goes with the transaction. It comes before the first look: a session remembers that a table was not there.
	PERFORM pg_advisory_xact_lock(hashtext('deja.usage.ensure_day'));
	FOREACH parent IN ARRAY ARRAY['operations', 'attempts'] LOOP
		partition := parent || '_' || to_char("day", 'YYYYMMDD');
		CONTINUE WHEN to_regclass('usage.' || quote_ident(partition)) IS NOT NULL;
		EXECUTE format('CREATE TABLE usage.%I (LIKE usage.%I INCLUDING ALL)', partition, parent);
		EXECUTE format(
			'ALTER TABLE usage.%I ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)',
			parent, partition,
			usage.first_id_at("day"::timestamp AT TIME ZONE 'UTC'),
			usage.first_id_at(("day" + 1)::timestamp AT TIME ZONE 'UTC')
		);
	END LOOP;
END
$$;
