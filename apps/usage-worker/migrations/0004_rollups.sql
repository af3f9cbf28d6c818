-- Everything that sums are told apart by. "cube": `all` has neither user nor tag; `user` has one row an operation with its user (null: none) and no tag;
-- `tag` has one row an operation and tag (`k=v`; null: it has none) and no user. A question is answered from the smallest cube that has its columns.
CREATE TABLE "usage"."series" (
	-- Hash of all the rest: see usage.series_id.
	"id" uuid PRIMARY KEY,
	"cube" text NOT NULL CHECK ("cube" IN ('all', 'user', 'tag')),
	"tenant" text NOT NULL,
	"key" text,
	"user" text,
	"tag" text,
	"endpoint" text NOT NULL,
	"requested_model" text NOT NULL,
	"model" text,
	"provider" text,
	"cache" text,
	-- Of misses and requests that went past the cache, in `all` alone.
	"cache_reason" text,
	"price_version" text,
	-- When the first operation of it was received.
	"first_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
-- Figures of the minute (cube `all` alone), the quarter of an hour and the UTC day that begins at "at", by the moment an operation was received.
-- The offsets of all time zones are multiples of a quarter: an hour, a day or a month of any of them is a sum of quarters.
-- l00 ... l79: operations by duration. l00: up to 1 ms; l<i>: in (2^((i-1)/4), 2^(i/4)] ms (OpenTelemetry's exponential histogram, scale 2); l79: all that took longer. null is 0.
CREATE TABLE "usage"."rollup_minutes" (
	"tenant" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"series" uuid NOT NULL,
	"requests" bigint NOT NULL DEFAULT 0,
	"errors" bigint NOT NULL DEFAULT 0,
	"cancelled" bigint NOT NULL DEFAULT 0,
	"blocked" bigint NOT NULL DEFAULT 0,
	"orphaned" bigint NOT NULL DEFAULT 0,
	"prompt_tokens" bigint NOT NULL DEFAULT 0,
	"cached_tokens" bigint NOT NULL DEFAULT 0,
	"cache_write_tokens" bigint NOT NULL DEFAULT 0,
	"completion_tokens" bigint NOT NULL DEFAULT 0,
	"reasoning_tokens" bigint NOT NULL DEFAULT 0,
	"cost_nano_usd" numeric NOT NULL DEFAULT 0,
	"saved_nano_usd" numeric NOT NULL DEFAULT 0,
	"saved_ms" bigint NOT NULL DEFAULT 0,
	"unpriced_requests" bigint NOT NULL DEFAULT 0,
	"l00" bigint,
	"l01" bigint,
	"l02" bigint,
	"l03" bigint,
	"l04" bigint,
	"l05" bigint,
	"l06" bigint,
	"l07" bigint,
	"l08" bigint,
	"l09" bigint,
	"l10" bigint,
	"l11" bigint,
	"l12" bigint,
	"l13" bigint,
	"l14" bigint,
	"l15" bigint,
	"l16" bigint,
	"l17" bigint,
	"l18" bigint,
	"l19" bigint,
	"l20" bigint,
	"l21" bigint,
	"l22" bigint,
	"l23" bigint,
	"l24" bigint,
	"l25" bigint,
	"l26" bigint,
	"l27" bigint,
	"l28" bigint,
	"l29" bigint,
	"l30" bigint,
	"l31" bigint,
	"l32" bigint,
	"l33" bigint,
	"l34" bigint,
	"l35" bigint,
	"l36" bigint,
	"l37" bigint,
	"l38" bigint,
	"l39" bigint,
	"l40" bigint,
	"l41" bigint,
	"l42" bigint,
	"l43" bigint,
	"l44" bigint,
	"l45" bigint,
	"l46" bigint,
	"l47" bigint,
	"l48" bigint,
	"l49" bigint,
	"l50" bigint,
	"l51" bigint,
	"l52" bigint,
	"l53" bigint,
	"l54" bigint,
	"l55" bigint,
	"l56" bigint,
	"l57" bigint,
	"l58" bigint,
	"l59" bigint,
	"l60" bigint,
	"l61" bigint,
	"l62" bigint,
	"l63" bigint,
	"l64" bigint,
	"l65" bigint,
	"l66" bigint,
	"l67" bigint,
	"l68" bigint,
	"l69" bigint,
	"l70" bigint,
	"l71" bigint,
	"l72" bigint,
	"l73" bigint,
	"l74" bigint,
	"l75" bigint,
	"l76" bigint,
	"l77" bigint,
	"l78" bigint,
	"l79" bigint,
	PRIMARY KEY ("tenant", "at", "series")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "usage"."rollup_quarters" (LIKE "usage"."rollup_minutes" INCLUDING ALL) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE TABLE "usage"."rollup_days" (LIKE "usage"."rollup_minutes" INCLUDING ALL) WITH (fillfactor = 70);
--> statement-breakpoint
-- Makes the partition of one range of a table where it is missing: as ensure_day, and in turn with it.
CREATE FUNCTION "usage"."ensure_partition"("parent" text, "suffix" text, "from_value" text, "to_value" text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	partition text := parent || '_' || suffix;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('deja.usage.ensure_day'));
	IF to_regclass('usage.' || quote_ident(partition)) IS NOT NULL THEN RETURN; END IF;
	-- Room on each page: a sum is changed again and again, in place.
	EXECUTE format('CREATE TABLE usage.%I (LIKE usage.%I INCLUDING ALL) WITH (fillfactor = 70)', partition, parent);
	EXECUTE format('ALTER TABLE usage.%I ATTACH PARTITION usage.%I FOR VALUES FROM (%L) TO (%L)', parent, partition, from_value, to_value);
END
$$;
--> statement-breakpoint
-- The sums by minute of one UTC day.
CREATE FUNCTION "usage"."ensure_minutes"("day" date) RETURNS void LANGUAGE sql
	RETURN usage.ensure_partition('rollup_minutes', to_char("day", 'YYYYMMDD'), to_char("day", 'YYYY-MM-DD"T00:00Z"'), to_char("day" + 1, 'YYYY-MM-DD"T00:00Z"'));
--> statement-breakpoint
-- The sums by quarter of an hour of the UTC month that begins with this day.
CREATE FUNCTION "usage"."ensure_quarters"("month" date) RETURNS void LANGUAGE sql
	RETURN usage.ensure_partition('rollup_quarters', to_char("month", 'YYYYMM'), to_char("month", 'YYYY-MM-DD"T00:00Z"'), to_char("month" + interval '1 month', 'YYYY-MM-DD"T00:00Z"'));
--> statement-breakpoint
-- Which of the columns l00 ... l79 counts a duration. The numbers are the negated upper bounds, because width_bucket's ranges begin with their bound and these end with it.
CREATE FUNCTION "usage"."latency_bucket"("ms" double precision) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN 79 - width_bucket(-"ms", ARRAY[
		-741455.2001894653, -623487.0199105466, -524288, -440871.89976053947, -370727.60009473265, -311743.5099552733, -262144, -220435.94988026973,
		-185363.80004736633, -155871.75497763665, -131072, -110217.97494013487, -92681.90002368316, -77935.87748881833, -65536, -55108.98747006743,
		-46340.95001184158, -38967.93874440916, -32768, -27554.493735033717, -23170.47500592079, -19483.96937220458, -16384, -13777.246867516858,
		-11585.237502960395, -9741.98468610229, -8192, -6888.623433758429, -5792.618751480198, -4870.992343051145, -4096, -3444.3117168792146,
		-2896.309375740099, -2435.4961715255727, -2048, -1722.1558584396073, -1448.1546878700494, -1217.7480857627863, -1024, -861.0779292198037,
		-724.0773439350247, -608.8740428813932, -512, -430.5389646099018, -362.03867196751236, -304.4370214406966, -256, -215.2694823049509,
		-181.01933598375618, -152.2185107203483, -128, -107.63474115247546, -90.50966799187809, -76.10925536017415, -64, -53.81737057623773,
		-45.254833995939045, -38.05462768008707, -32, -26.908685288118864, -22.627416997969522, -19.027313840043536, -16, -13.454342644059432,
		-11.313708498984761, -9.513656920021768, -8, -6.727171322029716, -5.656854249492381, -4.756828460010884, -4, -3.363585661014858,
		-2.8284271247461903, -2.378414230005442, -2, -1.681792830507429, -1.4142135623730951, -1.189207115002721, -1
	]::double precision[]);
--> statement-breakpoint
CREATE FUNCTION "usage"."series_id"(
	"cube" text, "tenant" text, "key" text, "user" text, "tag" text, "endpoint" text, "requested_model" text, "model" text, "provider" text, "cache" text, "cache_reason" text, "price_version" text
) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
	-- Sums of one cube stand together in the primary key of the sums' tables.
	RETURN (CASE "cube" WHEN 'all' THEN '0' WHEN 'user' THEN '1' ELSE '2' END || left(encode(sha256(convert_to(array_to_json(ARRAY[
		"cube", "tenant", "key", "user", "tag", "endpoint", "requested_model", "model", "provider", "cache", "cache_reason", "price_version"
	])::text, 'UTF8')), 'hex'), 31))::uuid;
--> statement-breakpoint
-- What each operation adds to the sums: a row for each of its series. Sums are right when they are what this view adds up to.
CREATE VIEW "usage"."operation_sums" AS
SELECT o.id AS operation,
	usage.series_id(c.cube, o.tenant, o.key, c."user", c.tag, o.endpoint, o.requested_model, o.model, o.provider, o.cache, c.cache_reason, o.price_version) AS series,
	c.cube, o.tenant, o.key, c."user", c.tag, o.endpoint, o.requested_model, o.model, o.provider, o.cache, c.cache_reason, o.price_version, o.received_at,
	1 AS requests,
	(o.outcome = 'error')::integer AS errors,
	(o.outcome = 'cancelled')::integer AS cancelled,
	(o.outcome = 'blocked')::integer AS blocked,
	(o.outcome = 'orphaned')::integer AS orphaned,
	CASE WHEN o.usage_source <> 'cache' THEN coalesce(o.prompt_tokens, 0) ELSE 0 END AS prompt_tokens,
	CASE WHEN o.usage_source <> 'cache' THEN coalesce(o.cached_tokens, 0) ELSE 0 END AS cached_tokens,
	CASE WHEN o.usage_source <> 'cache' THEN coalesce(o.cache_write_tokens, 0) ELSE 0 END AS cache_write_tokens,
	CASE WHEN o.usage_source <> 'cache' THEN coalesce(o.completion_tokens, 0) ELSE 0 END AS completion_tokens,
	CASE WHEN o.usage_source <> 'cache' THEN coalesce(o.reasoning_tokens, 0) ELSE 0 END AS reasoning_tokens,
	coalesce(o.cost_nano_usd, 0) AS cost_nano_usd,
	coalesce(o.saved_nano_usd, 0) AS saved_nano_usd,
	-- Whole milliseconds; what cannot be a time that was saved must not spoil a sum.
	floor(greatest(least(coalesce(o.saved_ms, 0), 1e12), -1e12) + 0.5)::bigint AS saved_ms,
	(o.cost_nano_usd IS NULL)::integer AS unpriced_requests,
	usage.latency_bucket(o.duration_ms) AS bucket
FROM usage.operations o
CROSS JOIN LATERAL (
	SELECT 'all' AS cube, null::text AS "user", null::text AS tag, o.cache_reason
	UNION ALL
	SELECT 'user', o."user", null, null
	UNION ALL
	SELECT 'tag', null, t.tag, null FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT key || '=' || value AS tag FROM jsonb_each_text(o.tags)) t ON true
) c;
--> statement-breakpoint
-- What the ledger holds already.
INSERT INTO "usage"."series" ("id", "cube", "tenant", "key", "user", "tag", "endpoint", "requested_model", "model", "provider", "cache", "cache_reason", "price_version", "first_at")
SELECT series, cube, tenant, key, "user", tag, endpoint, requested_model, model, provider, cache, cache_reason, price_version, min(received_at)
FROM usage.operation_sums
GROUP BY series, cube, tenant, key, "user", tag, endpoint, requested_model, model, provider, cache, cache_reason, price_version;
--> statement-breakpoint
DO $$
DECLARE
	-- As long as they are kept where nothing else is said.
	minutes_from timestamptz := date_trunc('day', now() - interval '8 days', 'UTC');
	day date;
	figures text := (
		SELECT string_agg(format('sum(%I)', name), ', ' ORDER BY n)
		FROM unnest(ARRAY['requests', 'errors', 'cancelled', 'blocked', 'orphaned', 'prompt_tokens', 'cached_tokens', 'cache_write_tokens', 'completion_tokens', 'reasoning_tokens', 'cost_nano_usd', 'saved_nano_usd', 'saved_ms', 'unpriced_requests']) WITH ORDINALITY f (name, n)
	);
	latencies text := (SELECT string_agg(format('nullif(count(*) FILTER (WHERE bucket = %s), 0)', i), ', ' ORDER BY i) FROM generate_series(0, 79) i);
	columns text := (SELECT string_agg(format('sum(l%s)', lpad(i::text, 2, '0')), ', ' ORDER BY i) FROM generate_series(0, 79) i);
BEGIN
	FOR day IN SELECT DISTINCT (received_at AT TIME ZONE 'UTC')::date FROM usage.operations WHERE received_at >= minutes_from LOOP
		PERFORM usage.ensure_minutes(day);
	END LOOP;
	FOR day IN SELECT DISTINCT date_trunc('month', received_at AT TIME ZONE 'UTC')::date FROM usage.operations LOOP
		PERFORM usage.ensure_quarters(day);
	END LOOP;
	EXECUTE format('INSERT INTO usage.rollup_minutes SELECT tenant, date_trunc(''minute'', received_at), series, %s, %s FROM usage.operation_sums WHERE cube = ''all'' AND received_at >= %L GROUP BY 1, 2, 3', figures, latencies, minutes_from);
	EXECUTE format('INSERT INTO usage.rollup_quarters SELECT tenant, date_bin(''15 minutes'', received_at, ''2000-01-01T00:00:00Z''), series, %s, %s FROM usage.operation_sums GROUP BY 1, 2, 3', figures, latencies);
	EXECUTE format('INSERT INTO usage.rollup_days SELECT tenant, date_trunc(''day'', at, ''UTC''), series, %s, %s FROM usage.rollup_quarters GROUP BY 1, 2, 3', figures, columns);
END
$$;
