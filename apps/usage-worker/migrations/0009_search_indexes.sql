-- Which tenants there are, and which series are about one tenant, key or tag (of a user: series_of_user), so that a question is answered from their sums alone.
CREATE INDEX "series_of_tenant" ON "usage"."series" ("tenant", "cube");
--> statement-breakpoint
CREATE INDEX "series_of_key" ON "usage"."series" ("key", "cube") WHERE "key" IS NOT NULL;
--> statement-breakpoint
-- By a hash, as users: a tag may be longer than an index takes.
CREATE INDEX "series_of_tag" ON "usage"."series" (hashtextextended("tag", 0)) WHERE "tag" IS NOT NULL;
