-- What was spent, in sums of a quarter of an hour: of everybody (tenant, key and user are null), of each tenant, and of each client key and end user of a
-- tenant, by model. The offsets of all time zones are multiples of 15 minutes, so a day, week or month of any of them is a sum of these.
CREATE TABLE "usage"."spend" (
	"who" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"model" text NOT NULL,
	"tenant" text,
	"key" text,
	"user" text,
	"nano_usd" numeric NOT NULL,
	PRIMARY KEY ("who", "at", "model")
) WITH (fillfactor = 70);
--> statement-breakpoint
-- Names in "who" whose sum it is, in a width that an index takes however long the names are.
CREATE FUNCTION "usage"."spender"("tenant" text, "key" text, "user" text) RETURNS uuid
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN left(encode(sha256(convert_to(jsonb_build_array("tenant", "key", "user")::text, 'UTF8')), 'hex'), 32)::uuid;
--> statement-breakpoint
-- Everyone whose spending one operation is.
CREATE FUNCTION "usage"."spenders"("of_tenant" text, "of_key" text, "of_user" text) RETURNS TABLE ("tenant" text, "key" text, "user" text)
	LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT s.tenant, s.key, s."user"
	FROM (VALUES
		(true, null::text, null::text, null::text),
		(true, of_tenant, null, null),
		(of_key IS NOT NULL, of_tenant, of_key, null),
		(of_user IS NOT NULL, of_tenant, null, of_user)
	) s (is_one, tenant, key, "user")
	WHERE s.is_one
$$;
--> statement-breakpoint
-- What the ledger holds already. Orphaned rows had no cost until now.
INSERT INTO "usage"."spend" ("who", "at", "model", "tenant", "key", "user", "nano_usd")
SELECT usage.spender(tenant, key, "user"), at, model, tenant, key, "user", nano_usd
FROM (
	SELECT s.tenant, s.key, s."user", left(regexp_replace(o.requested_model, ':(cost|speed|capability)$', ''), 256) AS model,
		date_bin('15 minutes', o.received_at, '2000-01-01T00:00:00Z') AS at, sum(a.cost_nano_usd) AS nano_usd
	FROM usage.operations o
	JOIN usage.attempts a ON a.operation_id = o.id AND NOT a.shadow AND a.cost_nano_usd <> 0
	CROSS JOIN LATERAL usage.spenders(o.tenant, o.key, o."user") s
	GROUP BY 1, 2, 3, 4, 5
) spent;
--> statement-breakpoint
CREATE INDEX "operations_key" ON "usage"."operations" ("key", "id");
--> statement-breakpoint
-- By a hash: a user's name may be longer than an index takes.
CREATE INDEX "operations_user" ON "usage"."operations" (hashtextextended("user", 0), "id") WHERE "user" IS NOT NULL;
