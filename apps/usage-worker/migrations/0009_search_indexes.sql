-- Which tenants there are, and which series are about one tenant, key or tag (of a user: series_of_user), so that a question is answered from their sums alone.
CREATE INDEX "series_of_tenant" ON "usage"."series" ("tenant", "cube");
--> statement-breakpoint
CREATE INDEX "series_of_key" ON "usage"."series" ("key", "cube") WHERE "key" IS NOT NULL;
--> statement-breakpoint
-- Where the ids of a cube begin and end.
CREATE INDEX "series_of_cube" ON "usage"."series" ("cube", "id");
--> statement-breakpoint
-- By a hash, as users: a tag may be longer than an index takes.
CREATE INDEX "series_of_tag" ON "usage"."series" (hashtextextended("tag", 0)) WHERE "tag" IS NOT NULL;
--> statement-breakpoint
-- Requests are found by what few of them have: what went wrong, …
CREATE INDEX "operations_outcome" ON "usage"."operations" ("outcome", "id") WHERE "outcome" <> 'ok';
--> statement-breakpoint
CREATE INDEX "operations_error_code" ON "usage"."operations" ("error_code", "id") WHERE "error_code" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "operations_status" ON "usage"."operations" ("status", "id") WHERE "status" >= 400;
--> statement-breakpoint
CREATE INDEX "operations_unpriced" ON "usage"."operations" ("id") WHERE "cost_nano_usd" IS NULL;
--> statement-breakpoint
CREATE INDEX "operations_safety_flags" ON "usage"."operations" USING gin ("safety_flags") WHERE "safety_flags" <> '{}';
--> statement-breakpoint
-- … by a trace or an entry of the cache, by their hashes, and by tags.
CREATE INDEX "operations_trace" ON "usage"."operations" (hashtextextended("trace_id", 0)) WHERE "trace_id" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "operations_cache_entry" ON "usage"."operations" (hashtextextended("cache_entry", 0), "id") WHERE "cache_entry" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "operations_tags" ON "usage"."operations" USING gin ("tags") WHERE "tags" <> '{}';
