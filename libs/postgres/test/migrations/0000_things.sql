CREATE SCHEMA IF NOT EXISTS "example";
--> statement-breakpoint
-- Not to be run twice, and slow enough for two replicas to meet in it.
CREATE TABLE "example"."things" ("id" integer PRIMARY KEY);
--> statement-breakpoint
INSERT INTO "example"."things" SELECT 1 FROM pg_sleep(0.2);
